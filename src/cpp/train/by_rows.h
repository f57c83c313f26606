// A team that shares rows: each thread takes its rows through all layers, and behind a barrier its
// share of the weight gradients, which need the whole batch.
#pragma once

#include "train/schedule.h"

namespace fastmlp {

template <class T>
class ByRows final : public Schedule<T> {
 public:
  ByRows(const Network<T>& network, Index batch, int threads);

  bool first_phase(const Step& step, Turn& turn, const Team& team, Poll& poll) noexcept override;
  double loss(const Step& step) const noexcept override;
  void second_phase(const Step& step, Update<T>& update, Turn& turn,
                    const Team& team) noexcept override;
  void gradient(const WeightTask& task, const Step& step, const Ahead<T>& ahead, int rank,
                const WeightTask*& copied, T* dw) noexcept override;
  T* scratch(int rank) noexcept override { return workspace_.scratch(rank); }

 private:
  /// The first phase where the loss is taken of the whole batch between forward and backward.
  bool with_own_loss(const Step& step, Range mine, Turn& turn, const Team& team) noexcept;

  const Network<T>& network_;
  Workspace<T> workspace_;
  Index grain_;
};

}  // namespace fastmlp
