// A bad neighbour: copies memory as fast as it can, in bursts and pauses of random length, until it is ended.
//
// usage: neighbour SEED [PROCESSOR]     bursts and pauses are exponential, of 60 and 90 ms in the mean
#include <sched.h>
#include <sys/prctl.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

namespace {

constexpr double burst_seconds = 0.060, pause_seconds = 0.090;
constexpr std::size_t bytes = std::size_t{64} << 20, step_bytes = std::size_t{1} << 20;

/// A whole number of decimal digits; ends the program where there is none.
unsigned long number(const char* text) {
  char* end = nullptr;
  const unsigned long number = std::strtoul(text, &end, 10);
  if (*text >= '0' && *text <= '9' && *end == '\0') return number;
  std::fprintf(stderr, "neighbour: %s is no number (usage: neighbour SEED [PROCESSOR])\n", text);
  std::exit(2);
}

void pin(unsigned long processor) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(processor, &only);
  if (processor < CPU_SETSIZE && ::sched_setaffinity(0, sizeof only, &only) == 0) return;
  std::fprintf(stderr, "neighbour: this process may not use processor %lu\n", processor);
  std::exit(2);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) {
    std::fprintf(stderr, "usage: neighbour SEED [PROCESSOR]\n");
    return 2;
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // never outlives the recorder
  std::mt19937_64 random(number(argv[1]));
  if (argc == 3) pin(number(argv[2]));
  // By inversion, not by std::exponential_distribution, whose numbers differ from library to library.
  const auto draw = [&](double mean) { return -mean * std::log1p(-static_cast<double>(random() >> 11) * 0x1p-53); };
  std::vector<char> memory(bytes, 1);
  std::size_t at = 0;
  for (;;) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(draw(burst_seconds));
    while (std::chrono::steady_clock::now() < end) {
      std::memcpy(memory.data() + at, memory.data() + (at + bytes / 2) % bytes, step_bytes);
      at = (at + step_bytes) % bytes;
    }
    std::this_thread::sleep_for(std::chrono::duration<double>(draw(pause_seconds)));
  }
}
