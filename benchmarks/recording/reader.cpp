#include "reader.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

#include "live_blocks.hpp"

namespace stackheap::recording {
namespace {

[[noreturn]] void fail(std::uint64_t byte, const std::string& fault) {
  throw damaged("damaged at byte " + std::to_string(byte) + ": " + fault);
}

/// A zstd frame of so many bytes is at most so long.
std::uint64_t most_packed(std::uint64_t unpacked) { return unpacked + unpacked / 8 + 1024; }

/// A header or an end, copied from the file: it lies at any address there.
template <class Record>
Record record_at(std::span<const std::byte> file, std::size_t byte) {
  Record copied;
  std::memcpy(&copied, file.data() + byte, sizeof copied);
  return copied;
}

chunk_header checked_header(std::span<const std::byte> file, std::size_t byte) {
  const auto header = record_at<chunk_header>(file, byte);
  if (header.magic != chunk_magic) fail(byte, "no chunk begins here");
  if (header.kind != chunk_kind::events && header.kind != chunk_kind::end)
    fail(byte, "a chunk of unknown kind " + std::to_string(static_cast<std::uint32_t>(header.kind)));
  if (header.reserved != 0) fail(byte, "a chunk's reserved field is not 0");
  if (header.kind == chunk_kind::end) return header;
  if (header.lane >= most_lanes)
    fail(byte, "lane " + std::to_string(header.lane) + " of at most " + std::to_string(most_lanes) + " lanes");
  if (header.unpacked_bytes > most_chunk_bytes)
    fail(byte, "a chunk of " + std::to_string(header.unpacked_bytes) + " bytes, more than " +
                   std::to_string(most_chunk_bytes));
  if (header.events == 0 || header.events > header.unpacked_bytes)
    fail(byte, "a chunk of " + std::to_string(header.events) + " events in " + std::to_string(header.unpacked_bytes) +
                   " bytes");
  if (header.packed_bytes == 0 || header.packed_bytes > most_packed(header.unpacked_bytes))
    fail(byte, "a chunk of " + std::to_string(header.unpacked_bytes) + " bytes is packed into " +
                   std::to_string(header.packed_bytes) + " bytes");
  return header;
}

struct own_block {
  std::uint64_t number;
  std::uint32_t block;
  bool live = true;
};

constexpr std::uint32_t no_lane = ~0U;

struct thread_state {
  live_blocks<own_block> live;
  std::uint64_t taken = 0;
  std::uint32_t lane = no_lane;
};

struct lane_state {
  std::vector<std::uint64_t> chunks;  ///< where they begin, in the file
  std::size_t next_chunk = 0;         ///< after the one that is unpacked
  std::uint64_t ticket = 0;           ///< of the next event
  // The chunk that is unpacked: none before its first event is due.
  std::vector<unsigned char> unpacked;
  const unsigned char* at = nullptr;
  std::uint32_t events_left = 0;
  unsigned char op = 0;                                                 ///< of the next event
  std::map<std::uint32_t, thread_state>::value_type* thread = nullptr;  ///< whose events these are

  const unsigned char* end() const { return unpacked.data() + unpacked.size(); }
};

}  // namespace

class reader::merge {
 public:
  explicit merge(const extract& read) : file_(read.file), events_left_(read.events), zstd_(ZSTD_createDCtx()) {
    if (!zstd_) throw std::bad_alloc();
    read_file_header();
    index_chunks();
    for (std::uint32_t number = 0; number < lanes_.size(); ++number)
      if (lane_state& lane = lanes_[number]; !lane.chunks.empty()) {
        lane.ticket = checked_header(file_, lane.chunks[0]).first_ticket;
        push(number);
      }
    if (!waiting_.empty()) current_ = pop();
  }

  const facts& about() const { return about_; }

  bool next(event& found) {
    if (fault_) throw damaged(*fault_);
    if (events_left_ == 0) return false;
    --events_left_;
    try {
      return decode_next(found);
    } catch (const damaged& fault) {
      fault_ = fault.what();
      throw;
    }
  }

 private:
  // ---- the file as a whole

  void read_file_header() {
    if (file_.empty()) throw damaged("the file is empty");
    if (file_.size() < sizeof(file_header)) throw damaged("not a recording: shorter than the header of a recording");
    const auto header = record_at<file_header>(file_, 0);
    if (std::memcmp(header.magic, file_magic, sizeof file_magic) != 0)
      throw damaged("not a recording: it does not begin with 'stackshr'");
    if (header.version != format_version)
      throw damaged("a recording of format " + std::to_string(header.version) + "; this program reads format " +
                    std::to_string(format_version));
    if (header.flags != 0) fail(offsetof(file_header, flags), "unknown flags " + std::to_string(header.flags));
    if (header.command_bytes > most_command_bytes)
      fail(offsetof(file_header, command_bytes), "a command of " + std::to_string(header.command_bytes) +
                                                     " bytes, more than " + std::to_string(most_command_bytes));
    if (header.command_bytes > file_.size() - sizeof header)
      fail(sizeof header, "the file is cut off within the command");
    about_.process = header.process;
    about_.parent = header.parent;
    about_.first_thread = header.first_thread;
    const char* word = reinterpret_cast<const char*>(file_.data()) + sizeof header;
    const char* const end = word + header.command_bytes;
    if (word != end && end[-1] != '\0') fail(sizeof header, "the command does not end with a zero byte");
    for (; word != end; word += about_.command.back().size() + 1) about_.command.emplace_back(word);
  }

  void index_chunks() {
    std::size_t at = sizeof(file_header) + record_at<file_header>(file_, 0).command_bytes;
    std::vector<std::uint32_t> largest;  // chunk of each lane
    std::uint64_t open_bytes = 0;
    about_.cut_off = true;
    while (file_.size() - at >= sizeof(chunk_header)) {
      const chunk_header header = checked_header(file_, at);
      const std::size_t content = at + sizeof header;
      if (header.kind == chunk_kind::end) return read_end(content);
      if (header.packed_bytes > file_.size() - content) return;
      if (header.lane >= lanes_.size()) lanes_.resize(header.lane + 1), largest.resize(header.lane + 1);
      if (header.unpacked_bytes > largest[header.lane]) {
        open_bytes += header.unpacked_bytes - std::exchange(largest[header.lane], header.unpacked_bytes);
        if (open_bytes > most_open_bytes)
          fail(at, "the lanes' chunks take more than " + std::to_string(most_open_bytes) + " bytes together");
      }
      lanes_[header.lane].chunks.push_back(at);
      about_.lanes = static_cast<std::uint32_t>(lanes_.size());
      about_.events += header.events;
      if (about_.events > most_recorded_events)
        fail(at, "more than " + std::to_string(most_recorded_events) + " calls");
      if (header.thread < about_.first_thread || header.thread == no_thread)
        fail(at, "thread " + std::to_string(header.thread) + " of threads from " + std::to_string(about_.first_thread) +
                     " on");
      about_.threads = std::max(about_.threads, std::uint64_t{header.thread} - about_.first_thread + 1);
      at = content + header.packed_bytes;
    }
  }

  void read_end(std::size_t at) {
    if (file_.size() - at < sizeof(end_of_recording)) return;
    const auto end = record_at<end_of_recording>(file_, at);
    if (end.how > ending::disk)
      fail(at, "an end of unknown kind " + std::to_string(static_cast<std::uint32_t>(end.how)));
    if (end.events != about_.events)
      fail(at, "the end states " + std::to_string(end.events) + " events, the chunks hold " +
                   std::to_string(about_.events));
    if (end.unseen > most_bytes)
      fail(at, "the end states " + std::to_string(end.unseen) + " calls that were not recorded");
    if (file_.size() - at > sizeof end) fail(at + sizeof end, "bytes follow the end of the recording");
    about_.how = end.how;
    about_.threads = end.threads;
    about_.unseen = end.unseen;
    about_.cut_off = false;
  }

  // ---- whose turn it is

  struct turn {
    std::uint64_t ticket;
    std::uint32_t lane;
    bool operator<(const turn& other) const { return ticket > other.ticket; }  // the heap's top is the lowest ticket
  };

  void push(std::uint32_t lane) {
    waiting_.push_back({lanes_[lane].ticket, lane});
    std::push_heap(waiting_.begin(), waiting_.end());
  }
  std::uint32_t pop() {
    std::pop_heap(waiting_.begin(), waiting_.end());
    const std::uint32_t lane = waiting_.back().lane;
    waiting_.pop_back();
    return lane;
  }

  // ---- within a lane

  [[noreturn]] void fail_in(const lane_state& lane, const std::string& fault) const {
    const auto header = record_at<chunk_header>(file_, lane.chunks[lane.next_chunk - 1]);
    fail(lane.chunks[lane.next_chunk - 1], "lane " + std::to_string(header.lane) + ", event " +
                                               std::to_string(header.events - lane.events_left) +
                                               " of the chunk: " + fault);
  }

  void open_chunk(std::uint32_t number) {
    lane_state& lane = lanes_[number];
    const std::size_t begin = lane.chunks[lane.next_chunk++];
    const chunk_header header = checked_header(file_, begin);
    const auto packed = file_.subspan(begin + sizeof header, header.packed_bytes);
    const std::size_t frame = ZSTD_findFrameCompressedSize(packed.data(), packed.size());
    if (ZSTD_isError(frame) || frame != packed.size()) fail(begin, "the chunk is not a zstd frame of its length");
    lane.unpacked.resize(header.unpacked_bytes);
    const std::size_t bytes =
        ZSTD_decompressDCtx(zstd_.get(), lane.unpacked.data(), lane.unpacked.size(), packed.data(), packed.size());
    if (ZSTD_isError(bytes)) fail(begin, std::string("the chunk cannot be unpacked: ") + ZSTD_getErrorName(bytes));
    if (bytes != lane.unpacked.size())
      fail(begin,
           "the chunk has " + std::to_string(bytes) + " bytes instead of " + std::to_string(header.unpacked_bytes));
    lane.at = lane.unpacked.data();
    lane.events_left = header.events;
    const bool known = threads_.contains(header.thread);
    if (lane.thread == nullptr || lane.thread->first != header.thread) give_lane(number, header.thread);
    thread_state& thread = lane.thread->second;
    const bool follows =
        header.first_block == thread.taken || (header.first_block > thread.taken && (lacks_ || !known));
    if (header.first_block > most_bytes || !follows)
      fail(begin, "thread " + std::to_string(header.thread) + " has taken " + std::to_string(thread.taken) +
                      " blocks, not " + std::to_string(header.first_block));
    thread.taken = header.first_block;
    read_op(lane);
    if (lane.op & has_ticket) fail_in(lane, "a chunk's first event has a ticket of its own");
  }

  std::uint64_t number(lane_state& lane) const {
    std::uint64_t found = 0;
    lane.at = get_number(lane.at, lane.end(), found);
    if (lane.at == nullptr) fail_in(lane, "a number is cut off or longer than 64 bits");
    return found;
  }

  /// What the next event begins with, so that its ticket is known.
  void read_op(lane_state& lane) const {
    if (lane.at == lane.end()) fail_in(lane, "the chunk ends before its events");
    lane.op = *lane.at++;
    if (lane.op & has_ticket) {
      const std::uint64_t others = number(lane);
      if (others > most_bytes || lane.ticket > most_bytes)
        fail_in(lane, "a ticket of " + std::to_string(others) + " more than the last");
      lane.ticket += others;
    }
  }

  /// Makes the lane that of a thread, which may not have another.
  void give_lane(std::uint32_t number, std::uint32_t thread) {
    lane_state& lane = lanes_[number];
    if (lane.thread != nullptr) {
      lane.thread->second.lane = no_lane;
      forget_if_gone(*lane.thread);
    }
    const auto at = threads_.try_emplace(thread).first;
    thread_state& state = at->second;
    if (state.lane != no_lane)
      fail_in(lane, "thread " + std::to_string(thread) + " is also that of lane " + std::to_string(state.lane));
    state.lane = number;
    lane.thread = &*at;
  }

  void forget_if_gone(const std::pair<const std::uint32_t, thread_state>& thread) {
    const std::uint32_t number = thread.first;
    if (thread.second.lane == no_lane && thread.second.live.empty()) threads_.erase(number);
  }

  // ---- an event

  bool decode_next(event& found) {
    if (current_ == no_lane) return false;
    lane_state& lane = lanes_[current_];
    if (lane.ticket >= most_bytes)
      fail(lane.chunks[std::max<std::size_t>(lane.next_chunk, 1) - 1], "a ticket of " + std::to_string(lane.ticket));
    if (any_ ? lane.ticket != last_ticket_ + 1 : lane.ticket != 0) note_step(lane);
    if (lane.events_left == 0) open_chunk(current_);
    last_ticket_ = lane.ticket;
    any_ = true;
    --lane.events_left;
    decode(lane, found);
    ++lane.ticket;
    if (lane.events_left > 0) {
      read_op(lane);
    } else {
      if (lane.at != lane.end())
        fail_in(lane, std::to_string(lane.end() - lane.at) + " bytes follow the chunk's last event");
      std::vector<unsigned char>().swap(lane.unpacked);
      if (lane.next_chunk == lane.chunks.size()) {
        current_ = waiting_.empty() ? no_lane : pop();
        return true;
      }
      lane.ticket = checked_header(file_, lane.chunks[lane.next_chunk]).first_ticket;
    }
    if (!waiting_.empty() && waiting_.front().ticket < lane.ticket) {
      push(current_);
      current_ = pop();
    }
    return true;
  }

  /// The ticket is not the next: some are lacking, or they are out of order.
  void note_step(const lane_state& lane) {
    if (any_ && lane.ticket <= last_ticket_)
      fail(lane.chunks[std::max<std::size_t>(lane.next_chunk, 1) - 1],
           "ticket " + std::to_string(lane.ticket) + " follows ticket " + std::to_string(last_ticket_));
    if (any_) about_.unseen += lane.ticket - last_ticket_ - 1;
    lacks_ = true;
  }

  void decode(lane_state& lane, event& found) {
    if (lane.op & ~(kind_bits | has_ticket | by_cpp | by_array) ||
        (lane.op & kind_bits) > static_cast<unsigned>(event_kind::main_begins))
      fail_in(lane, "an event of unknown kind " + std::to_string(lane.op));
    found = event{};
    found.kind = static_cast<event_kind>(lane.op & kind_bits);
    found.flags = static_cast<unsigned char>(lane.op & (by_cpp | by_array));
    found.lane = current_;
    found.ticket = lane.ticket;
    switch (found.kind) {
      case event_kind::aligned: {
        const std::uint64_t alignment = number(lane);
        if (alignment > 63) fail_in(lane, "an alignment of 2^" + std::to_string(alignment));
        found.alignment_log2 = static_cast<unsigned char>(alignment);
        take(lane, found);
        break;
      }
      case event_kind::realloc_own:
      case event_kind::realloc_other:
        found.old_block = give_back(lane, found);
        if (found.old_block == no_block) found.kind = event_kind::realloc_unknown;
        take(lane, found);
        break;
      case event_kind::malloc:
      case event_kind::calloc:
      case event_kind::realloc_unknown: take(lane, found); break;
      case event_kind::free_own:
      case event_kind::free_other:
        found.block = give_back(lane, found);
        if (found.block == no_block) found.kind = event_kind::free_unknown;
        break;
      case event_kind::failed: found.bytes = number(lane); break;
      case event_kind::thread_begins: begin_thread(lane); break;
      case event_kind::free_unknown:
      case event_kind::thread_ends:
      case event_kind::main_begins: break;
    }
    found.thread = lane.thread->first;
  }

  void begin_thread(lane_state& lane) {
    const std::uint64_t thread = number(lane);
    if (thread < about_.first_thread || thread >= no_thread)
      fail_in(lane, "thread " + std::to_string(thread) + " cannot begin");
    if (thread != lane.thread->first) {
      if (threads_.contains(static_cast<std::uint32_t>(thread)))
        fail_in(lane, "thread " + std::to_string(thread) + " begins twice");
      give_lane(current_, static_cast<std::uint32_t>(thread));
    } else if (lane.thread->second.taken != 0) {
      fail_in(lane, "thread " + std::to_string(thread) + " begins after it has taken blocks");
    }
    if (about_.cut_off) about_.threads = std::max(about_.threads, thread - about_.first_thread + 1);
  }

  void take(lane_state& lane, event& found) {
    found.bytes = number(lane);
    if (found.bytes > most_block_bytes || (bytes_ += found.bytes) > most_bytes)
      fail_in(lane, "a block of " + std::to_string(found.bytes) + " bytes is too large, or all blocks together are");
    if (blocks_ == no_block) fail_in(lane, "more than " + std::to_string(no_block) + " blocks");
    if (++live_ > most_live_blocks) fail_in(lane, "more than " + std::to_string(most_live_blocks) + " blocks are live");
    thread_state& thread = lane.thread->second;
    found.block = blocks_++;
    thread.live.add({thread.taken++, found.block});
  }

  /// The block that is freed or grown: none where it cannot be known.
  std::uint32_t give_back(lane_state& lane, event& found) {
    const bool own = found.kind == event_kind::free_own || found.kind == event_kind::realloc_own;
    const std::uint64_t thread = own ? lane.thread->first : number(lane);
    const std::uint64_t given = number(lane);
    if (own && given >= lane.thread->second.taken)
      fail_in(lane, "the thread has not taken " + std::to_string(given) + " blocks since the block that it frees");
    if (thread < about_.first_thread) return no_block;
    const auto taker = thread < no_thread ? threads_.find(static_cast<std::uint32_t>(thread)) : threads_.end();
    if (taker != threads_.end()) {
      thread_state& state = taker->second;
      if (const auto block = state.live.take_out(own ? state.taken - 1 - given : given)) {
        --live_;
        found.taker = taker->first;
        forget_if_gone(*taker);
        return block->block;
      }
    }
    if (!lacks_)
      fail_in(lane, "block " + std::to_string(given) + (own ? " back" : " of thread " + std::to_string(thread)) +
                        " is not live");
    return no_block;
  }

  struct free_zstd {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };

  std::span<const std::byte> file_;
  std::uint64_t events_left_;
  std::unique_ptr<ZSTD_DCtx, free_zstd> zstd_;
  facts about_;
  std::vector<lane_state> lanes_;
  std::vector<turn> waiting_;
  std::uint32_t current_ = no_lane;
  std::map<std::uint32_t, thread_state> threads_;  ///< that have a lane or live blocks
  std::uint64_t last_ticket_ = 0;
  bool any_ = false;
  bool lacks_ = false;  ///< some ticket has no event
  std::uint64_t bytes_ = 0, live_ = 0;
  std::uint32_t blocks_ = 0;
  std::optional<std::string> fault_;
};

reader::reader(const extract& read) : merge_(std::make_unique<merge>(read)) {}
reader::reader(reader&&) noexcept = default;
reader& reader::operator=(reader&&) noexcept = default;
reader::~reader() = default;
const facts& reader::about() const { return merge_->about(); }
bool reader::next(event& found) { return merge_->next(found); }

mapped_file::mapped_file(const std::string& path) {
  struct closing {
    int file;
    ~closing() {
      if (file >= 0) ::close(file);
    }
  } const opened{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};  // a pipe must not wait for its writer
  struct stat found {};
  if (opened.file < 0 || ::fstat(opened.file, &found) != 0) throw std::runtime_error(std::strerror(errno));
  if (!S_ISREG(found.st_mode)) throw std::runtime_error("not a regular file");
  if (found.st_size == 0) return;
  const auto bytes = static_cast<std::size_t>(found.st_size);
  void* const pages = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, opened.file, 0);
  if (pages == MAP_FAILED) throw std::runtime_error(std::strerror(errno));
  bytes_ = {static_cast<const std::byte*>(pages), bytes};
}

mapped_file::~mapped_file() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace stackheap::recording
