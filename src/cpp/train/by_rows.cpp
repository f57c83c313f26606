#include "train/by_rows.h"

#include "nn/row_pass.h"
#include "nn/rules.h"

namespace fastmlp {

template <class T>
ByRows<T>::ByRows(const Network<T>& network, Index batch, int threads)
    : network_(network),
      workspace_(network, Pass::kTrain, batch, threads),
      grain_(row_grain(network)) {
  this->tasks_ = weight_tasks(network, batch, TaskOrder::kRows);
}

template <class T>
bool ByRows<T>::first_phase(const Step& step, Turn& turn, const Team& team, Poll& poll) noexcept {
  const Range mine = share(step.batch.rows, grain_, turn.part());
  if (step.loss.choice.own) return with_own_loss(step, mine, turn, team);
  turn.begin_piece();
  const bool finite = train_rows(network_, workspace_, step.batch, step.weight_sum, step.loss,
                                 &step.masks, mine, &poll, team.rank());
  turn.end_piece(static_cast<double>(mine.size()));
  return finite;
}

template <class T>
bool ByRows<T>::with_own_loss(const Step& step, Range mine, Turn& turn, const Team& team) noexcept {
  const double half = 0.5 * static_cast<double>(mine.size());
  turn.begin_piece();
  train_forward(network_, workspace_, step.batch, step.weight_sum, step.loss, &step.masks, mine);
  turn.end_piece(half);
  team.barrier();
  if (team.rank() == 0) output_loss(network_, workspace_, step.loss, {0, step.batch.rows});
  team.barrier();
  turn.begin_piece();
  const bool finite =
      train_backward(network_, workspace_, step.loss, &step.masks, mine, team.rank());
  turn.end_piece(half);
  return finite;
}

template <class T>
double ByRows<T>::loss(const Step& step) const noexcept {
  return sum_of_losses(workspace_, {0, step.batch.rows});
}

template <class T>
void ByRows<T>::second_phase(const Step& step, Update<T>& update, Turn& turn,
                             const Team& team) noexcept {
  const Range mine = share_tasks(this->tasks_, all_of(this->tasks_), turn.part());
  const WeightTask* copied = nullptr;
  turn.begin_piece();
  update.tasks(*this, mine, step, team.rank(), copied);
  turn.end_piece(static_cast<double>(cost_of(this->tasks_, mine)));
}

template <class T>
void ByRows<T>::gradient(const WeightTask& task, const Step& step, const Ahead<T>& ahead, int rank,
                         const WeightTask*& copied, T* dw) noexcept {
  task_gradient(network_, workspace_, task, {0, step.batch.rows}, ahead, rank, copied, dw);
}

template class ByRows<float>;
template class ByRows<double>;

}  // namespace fastmlp
