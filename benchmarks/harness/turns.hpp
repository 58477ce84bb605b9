// How do two processes measure by turns on one core? Each writes a byte when it waits, and reads a byte when its turn begins.
// Whoever started both hands the turns to and fro.
#pragma once

#include <string>

namespace stackheap {

/// The files, and the length of a turn.
struct turns {
  int in;                     ///< a byte from it begins a turn
  int out;                    ///< a byte to it says that this process waits for its turn
  unsigned repetitions = 1;  ///< of the benchmark, in each turn
};

/// Parses IN,OUT[,REPETITIONS] and checks that both files are open. Throws std::invalid_argument, with one line.
turns parse_turns(const std::string& text);

/// From now on this process takes turns. Everything that it does until its end belongs to a turn: preparing to the first,
/// reporting to the last, which ends with the process.
void take_turns(const turns& chosen);

/// Whether this process takes turns. A benchmark then does as much in each as it is told, and no more for its own sake.
bool takes_turns();

/// At the start of a repetition: where a turn ends with the repetition before, says so and waits for the next. Ends the
/// process where no more turns come, because the other end of the file was closed.
void begin_repetition();

}  // namespace stackheap
