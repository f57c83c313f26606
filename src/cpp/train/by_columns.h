// A team that shares the columns of each layer, for all rows: where there are more weights than
// activations. On the way back a layer's weights are updated as soon as the gradient of its input
// needs them no more.
#pragma once

#include "train/schedule.h"

namespace fastmlp {

template <class T>
class ByColumns final : public Schedule<T> {
 public:
  ByColumns(const Network<T>& network, Index batch, int threads);

  bool first_phase(const Step& step, Turn& turn, const Team& team, Poll& poll) noexcept override;
  double loss(const Step& step) const noexcept override;
  /// Layer by layer from the top: the gradient by its input, and behind a barrier, when nobody
  /// reads its weights any more, their own and the update. The layer below needs no barrier to go
  /// on.
  void second_phase(const Step& step, Update<T>& update, Turn& turn,
                    const Team& team) noexcept override;
  void gradient(const WeightTask& task, const Step& step, const Ahead<T>& ahead, int rank,
                const WeightTask*& copied, T* dw) noexcept override;
  T* scratch(int rank) noexcept override { return workspace_.scratch(rank); }
  bool fetches_ahead() const override { return true; }

 private:
  const Network<T>& network_;
  Workspace<T> workspace_;
  std::vector<Range> layers_;  // of tasks
};

}  // namespace fastmlp
