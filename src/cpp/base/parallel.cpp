#include "base/parallel.h"

#include <omp.h>
#include <pthread.h>

namespace fastmlp {

namespace {

constexpr double kSerialFlops = 150e3;

// A forked child inherits the record of libgomp's pool but not its threads, and would wait for
// them for ever in its first region. Ending the pool before the fork lets both sides start anew.
void end_pool_before_fork() {
  if (!omp_in_parallel()) omp_pause_resource_all(omp_pause_soft);
}

const int registered = pthread_atfork(end_pool_before_fork, nullptr, nullptr);

}  // namespace

void Team::barrier() const noexcept {
  if (size_ > 1) {
#pragma omp barrier
  }
}

int max_threads() noexcept {
  (void)registered;
  return omp_get_max_threads();
}

int threads_for(double flops, int requested) noexcept {
  if (flops < kSerialFlops) return 1;
  return requested > 0 ? requested : max_threads();
}

void detail::run_team(int threads, void (*body)(void*, const Team&), void* argument) {
  if (threads <= 1) {
    body(argument, Team(0, 1));
    return;
  }
#pragma omp parallel num_threads(threads)
  body(argument, Team(omp_get_thread_num(), omp_get_num_threads()));
}

}  // namespace fastmlp
