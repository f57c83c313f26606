#include "base/buffer.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#if defined(__linux__)
#include <sys/mman.h>
#elif defined(_WIN32)
#include <malloc.h>
#endif

namespace fastmlp {

namespace {
std::atomic<std::uint64_t> allocations{0};
}

std::uint64_t allocation_count() noexcept { return allocations.load(); }

Index checked_mul(Index a, Index b) {
  Index product;
  if (a < 0 || b < 0 || __builtin_mul_overflow(a, b, &product)) {
    throw std::length_error("array size out of range: " + std::to_string(a) + " * " +
                            std::to_string(b));
  }
  return product;
}

namespace detail {

namespace {

#if defined(__has_feature)  // Clang's way to say what GCC says by __SANITIZE_ADDRESS__
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__
#endif
#endif
#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__)
constexpr bool kMapsPages = true;  // not where a sanitizer is to watch the ends of arrays
#else
constexpr bool kMapsPages = false;
#endif
constexpr Index kHugePage = Index{1} << 21;
constexpr Index kManyPages = 2 * kHugePage;  // from here on rounding up costs less than half

bool is_mapped(Index bytes) { return kMapsPages && bytes >= kManyPages; }

#ifdef __linux__
/// Whole huge pages: a wider mapping, cut off on both sides of them.
void* map_pages(Index bytes) noexcept {
  const auto size = static_cast<std::size_t>(round_up(bytes, kHugePage));
  const auto page = static_cast<std::size_t>(kHugePage);
  void* mapped =
      mmap(nullptr, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  char* first = static_cast<char*>(mapped);
  const std::size_t before = (page - reinterpret_cast<std::uintptr_t>(first) % page) % page;
  if (before > 0) munmap(first, before);
  munmap(first + before + size, page - before);
  madvise(first + before, size, MADV_HUGEPAGE);  // where it is refused, pages are small
  return first + before;
}
#endif

// Windows has no std::aligned_alloc, since its free() takes no such memory.
void* allocate_aligned(std::size_t size) noexcept {
#ifdef _WIN32
  return _aligned_malloc(size, kAlignment);
#else
  return std::aligned_alloc(kAlignment, size);
#endif
}

void free_aligned(void* p) noexcept {
#ifdef _WIN32
  _aligned_free(p);
#else
  std::free(p);
#endif
}

}  // namespace

void* allocate_zeroed(Index bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (bytes > PTRDIFF_MAX - 2 * kHugePage) throw std::bad_alloc();
  void* p = nullptr;
  if (is_mapped(bytes)) {
#ifdef __linux__
    p = map_pages(bytes);
#endif
  } else {
    const auto size = static_cast<std::size_t>(round_up(bytes > 0 ? bytes : 1, kAlignment));
    p = allocate_aligned(size);
    if (p != nullptr) std::memset(p, 0, size);
  }
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

void free_zeroed(void* p, [[maybe_unused]] Index bytes) noexcept {
#ifdef __linux__
  if (is_mapped(bytes)) {
    munmap(p, static_cast<std::size_t>(round_up(bytes, kHugePage)));
    return;
  }
#endif
  free_aligned(p);
}

}  // namespace detail
}  // namespace fastmlp
