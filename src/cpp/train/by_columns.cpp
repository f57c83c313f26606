#include "train/by_columns.h"

#include "nn/column_pass.h"
#include "nn/row_pass.h"
#include "nn/rules.h"

namespace fastmlp {

template <class T>
ByColumns<T>::ByColumns(const Network<T>& network, Index batch, int threads)
    : network_(network), workspace_(network, Pass::kTrain, batch, threads) {
  this->tasks_ = weight_tasks(network, batch, TaskOrder::kFirstLayerPanels);
  layers_.assign(network.layers().size(), Range{0, 0});
  for (std::size_t i = 0; i < this->tasks_.size(); ++i) {
    Range& range = layers_[static_cast<std::size_t>(this->tasks_[i].layer)];
    if (range.size() == 0) range.begin = static_cast<Index>(i);
    range.end = static_cast<Index>(i) + 1;
  }
}

template <class T>
bool ByColumns<T>::first_phase(const Step& step, Turn& turn, const Team& team, Poll&) noexcept {
  return train_columns(network_, workspace_, step.batch, step.weight_sum, step.loss, &step.masks,
                       turn, team);
}

template <class T>
double ByColumns<T>::loss(const Step& step) const noexcept {
  return sum_of_losses(workspace_, {0, step.batch.rows});
}

template <class T>
void ByColumns<T>::second_phase(const Step& step, Update<T>& update, Turn& turn,
                                const Team& team) noexcept {
  const Index rows = step.batch.rows;
  const std::vector<WeightTask>& tasks = this->tasks_;
  for (Index layer = workspace_.layer_count() - 1; layer > 0; --layer) {
    backward_columns(network_, workspace_, layer, rows, &step.masks, turn, team.rank());
    team.barrier();
    const Range mine = share_tasks(tasks, layers_[static_cast<std::size_t>(layer)], turn.part());
    const WeightTask* copied = nullptr;
    turn.begin_piece();
    update.tasks(*this, mine, step, team.rank(), copied);
    turn.end_piece(static_cast<double>(cost_of(tasks, mine)));
  }
  const Range own = share_tasks(tasks, layers_.front(), turn.part());
  const double flops = product_flops(network_.layers().front().shape, rows);
  const WeightTask* copied = nullptr;
  turn.share_pieces(own, 1, flops, [&](Range mine) {
    update.tasks(*this, mine, step, team.rank(), copied);
    return static_cast<double>(cost_of(tasks, mine));
  });
}

template <class T>
void ByColumns<T>::gradient(const WeightTask& task, const Step& step, const Ahead<T>& ahead,
                            int rank, const WeightTask*& copied, T* dw) noexcept {
  task_gradient(network_, workspace_, task, {0, step.batch.rows}, ahead, rank, copied, dw);
}

template class ByColumns<float>;
template class ByColumns<double>;

}  // namespace fastmlp
