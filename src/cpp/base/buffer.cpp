#include "base/buffer.h"

#include <atomic>
#include <cstdlib>

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

void* allocate_aligned(Index bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (bytes > PTRDIFF_MAX - kAlignment) throw std::bad_alloc();
  const auto size = static_cast<std::size_t>(round_up(bytes > 0 ? bytes : 1, kAlignment));
  void* p = std::aligned_alloc(kAlignment, size);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

void free_aligned(void* p) noexcept { std::free(p); }

}  // namespace detail
}  // namespace fastmlp
