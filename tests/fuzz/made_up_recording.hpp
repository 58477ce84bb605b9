// A recording of calls that nobody made.
#pragma once

#include <zstd.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "format.hpp"

namespace stackheap::recording {

template <class Record>
std::string bytes_of(const Record& record) {
  return {reinterpret_cast<const char*>(&record), sizeof record};
}

/// The header of a chunk, with what follows it. `packed_bytes` and, where it is 0, `unpacked_bytes` are filled in.
inline std::string made_up_chunk(chunk_header header, std::string_view unpacked) {
  ZSTD_CCtx* const zstd = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
  std::string packed(ZSTD_compressBound(unpacked.size()), '\0');
  packed.resize(ZSTD_compress2(zstd, packed.data(), packed.size(), unpacked.data(), unpacked.size()));
  ZSTD_freeCCtx(zstd);
  header.packed_bytes = static_cast<std::uint32_t>(packed.size());
  if (header.unpacked_bytes == 0) header.unpacked_bytes = static_cast<std::uint32_t>(unpacked.size());
  return bytes_of(header) + packed;
}

/// A block is known by the thread that took it and by its number there.
struct made_up_block {
  std::uint32_t thread;
  std::uint64_t number;
};

/// Calls come in the order in which they are to be read. Each thread has its own lane, unless it begins in another's.
class made_up_recording {
 public:
  file_header header{{'s', 't', 'a', 'c', 'k', 's', 'h', 'r'}, format_version, 0, 100, 0, 0, 0};
  std::string command{"program\0argument\0", 17};
  std::uint32_t threads = 0;

  void begin(std::uint32_t thread, std::uint32_t lane) {
    lane_of_[thread] = lane;
    event(thread, event_kind::thread_begins, {thread});
  }
  void mark(std::uint32_t thread, event_kind kind, unsigned char flags = 0) { event(thread, kind, {}, flags); }
  made_up_block malloc(std::uint32_t thread, std::uint64_t bytes, unsigned char flags = 0) {
    return take(thread, event_kind::malloc, {bytes}, flags);
  }
  made_up_block calloc(std::uint32_t thread, std::uint64_t bytes) { return take(thread, event_kind::calloc, {bytes}); }
  made_up_block aligned(std::uint32_t thread, std::uint64_t alignment_log2, std::uint64_t bytes,
                        unsigned char flags = 0) {
    return take(thread, event_kind::aligned, {alignment_log2, bytes}, flags);
  }
  made_up_block grow(std::uint32_t thread, made_up_block old, std::uint64_t bytes) {
    if (old.thread == thread) return take(thread, event_kind::realloc_own, {taken_[thread] - 1 - old.number, bytes});
    return take(thread, event_kind::realloc_other, {old.thread, old.number, bytes});
  }
  made_up_block grow_unknown(std::uint32_t thread, std::uint64_t bytes) {
    return take(thread, event_kind::realloc_unknown, {bytes});
  }
  void fail(std::uint32_t thread, std::uint64_t bytes) { event(thread, event_kind::failed, {bytes}); }
  void free(std::uint32_t thread, made_up_block old, unsigned char flags = 0) {
    if (old.thread == thread)
      event(thread, event_kind::free_own, {taken_[thread] - 1 - old.number}, flags);
    else
      event(thread, event_kind::free_other, {old.thread, old.number}, flags);
  }

  /// Any event.
  void event(std::uint32_t thread, event_kind kind, std::initializer_list<std::uint64_t> numbers,
             unsigned char flags = 0) {
    lane_state& lane = lanes_[lane_of(thread)];
    if (lane.bytes.size() > most_chunk_bytes - longest_event) flush(lane_of(thread));
    if (lane.bytes.empty()) {
      lane.begin = {chunk_magic, chunk_kind::events, lane_of(thread), thread, ticket_, taken_[thread], 0, 0, 0, 0};
      lane.ticket = ticket_;
    }
    unsigned char op = static_cast<unsigned char>(kind) | flags;
    if (ticket_ != lane.ticket) op |= has_ticket;
    lane.bytes += static_cast<char>(op);
    if (op & has_ticket) put(lane, ticket_ - lane.ticket);
    for (const std::uint64_t number : numbers) put(lane, number);
    ++lane.begin.events;
    ++events_;
    lane.ticket = ++ticket_;
    threads = std::max(threads, thread - header.first_thread + 1);
  }

  /// The events of the lane since its last chunk become a chunk.
  void flush(std::uint32_t number) {
    lane_state& lane = lanes_[number];
    if (!lane.bytes.empty()) chunks_ += made_up_chunk(lane.begin, lane.bytes);
    lane.bytes.clear();
  }
  /// The events of the lane since its last chunk are lost.
  void lose(std::uint32_t number) {
    events_ -= lanes_[number].begin.events;
    lanes_[number].bytes.clear();
  }
  /// Others take so many tickets, and their calls are not recorded.
  void skip(std::uint64_t tickets) { ticket_ += tickets; }
  /// Bytes between the chunks, or a chunk of one's own.
  void append(std::string_view bytes) { chunks_ += bytes; }

  std::string cut_off() {
    for (const auto& [number, lane] : lanes_) flush(number);
    header.command_bytes = static_cast<std::uint32_t>(command.size());
    return bytes_of(header) + command + chunks_;
  }
  std::string ended(ending how = ending::exit, std::uint64_t unseen = 0) {
    const std::string whole = cut_off();
    const chunk_header end{chunk_magic, chunk_kind::end, 0, 0, 0, 0, 0, 0, 0, 0};
    return whole + bytes_of(end) + bytes_of(end_of_recording{events_, unseen, how, threads});
  }

 private:
  struct lane_state {
    chunk_header begin{};
    std::string bytes;
    std::uint64_t ticket = 0;  ///< of the next event, unless others take some
  };

  std::uint32_t lane_of(std::uint32_t thread) {
    return lane_of_.try_emplace(thread, thread - header.first_thread).first->second;
  }
  made_up_block take(std::uint32_t thread, event_kind kind, std::initializer_list<std::uint64_t> numbers,
                     unsigned char flags = 0) {
    event(thread, kind, numbers, flags);
    return {thread, taken_[thread]++};
  }
  static void put(lane_state& lane, std::uint64_t number) {
    unsigned char bytes[10];
    lane.bytes.append(reinterpret_cast<const char*>(bytes),
                      static_cast<std::size_t>(put_number(bytes, number) - bytes));
  }

  std::map<std::uint32_t, lane_state> lanes_;
  std::map<std::uint32_t, std::uint32_t> lane_of_;
  std::map<std::uint32_t, std::uint64_t> taken_;
  std::uint64_t ticket_ = 0, events_ = 0;
  std::string chunks_;
};

}  // namespace stackheap::recording
