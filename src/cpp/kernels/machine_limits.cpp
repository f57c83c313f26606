#include "kernels/machine_limits.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include "base/buffer.h"
#include "base/parallel.h"

namespace fastmlp {

namespace {

// Long enough for the system to move threads that began on the same core apart.
constexpr int kBusyRuns = 50;
constexpr int kTriadRuns = 15;
constexpr Index kTurns = 200'000;          // 24 chains of multiply-adds: 1 to 2 ms
constexpr Index kTriadNumbers = 16 << 20;  // 64 MB an array, more than most last-level caches hold

/// Seconds of the fastest of several runs of `work(team)` by a whole team.
template <class Work>
double fastest(int threads, int runs, const Work& work) {
  using Clock = std::chrono::steady_clock;
  double best = std::numeric_limits<double>::infinity();
  auto body = [&](const Team& team) noexcept {
    for (int run = 0; run < runs; ++run) {
      team.barrier();
      const Clock::time_point start = Clock::now();
      work(team);
      team.barrier();
      const std::chrono::duration<double> seconds = Clock::now() - start;
      if (team.rank() == 0) best = std::min(best, seconds.count());
    }
  };
  parallel({threads, true}, body);
  return best;
}

}  // namespace

MachineLimits measure_limits(const Target& target, int threads) {
  const Kernels<float>& kernels = target.kernels.f32;
  const int team_size = threads_for(std::numeric_limits<double>::max(), threads);
  MachineLimits limits{};

  volatile float sink = 0.0f;
  int present = 1;
  const double busy = fastest(team_size, kBusyRuns, [&](const Team& team) {
    const float sum = kernels.multiply_adds(kTurns);
    if (team.rank() == 0) sink = sum;
    if (team.rank() == 0) present = team.size();
  });
  limits.flops = static_cast<double>(kTurns * kernels.turn_flops * present) / busy;

  AlignedBuffer<float> a(kTriadNumbers), b(kTriadNumbers), c(kTriadNumbers);
  const double moved = fastest(team_size, kTriadRuns, [&](const Team& team) {
    const Range mine = share(kTriadNumbers, kAlignment, equal_part(team));
    kernels.triad(a.data() + mine.begin, b.data() + mine.begin, c.data() + mine.begin, 3.0f,
                  mine.size());
  });
  limits.bandwidth = 3.0 * sizeof(float) * static_cast<double>(kTriadNumbers) / moved;
  return limits;
}

}  // namespace fastmlp
