#include "train/by_shards.h"

#include <algorithm>

#include "nn/row_pass.h"
#include "nn/rules.h"

namespace fastmlp {

namespace {

Index depth_of(Index shards) {
  Index depth = 0;
  for (Index width = 1; width < shards; width *= 2) ++depth;
  return depth;
}

}  // namespace

template <class T>
ByShards<T>::ByShards(const Network<T>& network, Index batch, Index held, int threads,
                      Reduction<T>& reduction)
    : network_(network),
      reduction_(reduction),
      batch_(batch),
      workspace_(network, Pass::kTrain,
                 min_index(batch, held) + reduction.mine().size() * kMaskRows, threads) {
  // Of the whole batch, for the number of processes is not to change what is summed together.
  this->tasks_ = weight_tasks(network, batch, TaskOrder::kRows);
  for (const WeightTask& task : this->tasks_) task_size_ = std::max(task_size_, task.cost());
  task_size_ = round_up(task_size_, kAlignment / static_cast<Index>(sizeof(T)));
  sums_of_thread_ = task_size_ * depth_of(reduction.mine().size());
  sums_ = AlignedBuffer<T>(checked_mul(threads, sums_of_thread_));
}

template <class T>
template <class Visit>
void ByShards<T>::for_each_shard(const Step& step, Range mine, Visit visit) const {
  const Range held = reduction_.mine();
  const Index stride = round_up(batch_, kMaskRows);  // between the masks of two shards
  for (Index shard = held.begin; shard < held.end; ++shard) {
    const Range all = rows_of(step, shard);
    const Range rows{std::max(all.begin, mine.begin), std::min(all.end, mine.end)};
    MaskKey masks = step.masks;
    masks.first_row = (shard + 1) * stride - all.begin;
    if (rows.size() > 0) visit(rows, masks);
  }
}

template <class T>
bool ByShards<T>::first_phase(const Step& step, Turn& turn, const Team& team, Poll& poll) noexcept {
  const Range mine = share(step.batch.rows, kMaskRows, turn.part());
  const bool own_loss = step.loss.choice.own != nullptr;
  bool finite = true;
  turn.begin_piece();
  for_each_shard(step, mine, [&](Range rows, const MaskKey& masks) {
    if (own_loss) {
      train_forward(network_, workspace_, step.batch, step.weight_sum, step.loss, &masks, rows);
    } else {
      finite &= train_rows(network_, workspace_, step.batch, step.weight_sum, step.loss, &masks,
                           rows, &poll, team.rank());
    }
  });
  turn.end_piece(static_cast<double>(mine.size()));
  if (!own_loss) return finite;
  team.barrier();
  if (team.rank() == 0) {
    for_each_shard(step, {0, step.batch.rows}, [&](Range rows, const MaskKey&) {
      output_loss(network_, workspace_, step.loss, rows);
    });
  }
  team.barrier();
  for_each_shard(step, mine, [&](Range rows, const MaskKey& masks) {
    finite &= train_backward(network_, workspace_, step.loss, &masks, rows, team.rank());
  });
  return finite;
}

template <class T>
double ByShards<T>::loss_of(const Step& step, Range node) const noexcept {
  if (node.size() == 1) return sum_of_losses(workspace_, rows_of(step, node.begin));
  const Index middle = (node.begin + node.end) / 2;
  return loss_of(step, {node.begin, middle}) + loss_of(step, {middle, node.end});
}

template <class T>
void ByShards<T>::take_losses(const Step& step, std::vector<double>& losses) const noexcept {
  for (std::size_t k = 0; k < losses.size(); ++k) {
    losses[k] = loss_of(step, reduction_.nodes()[k]);
  }
}

template <class T>
double ByShards<T>::loss(const Step& step) const noexcept {
  double sum = 0.0;
  for (const Range& node : reduction_.nodes()) sum += loss_of(step, node);
  return sum;
}

template <class T>
void ByShards<T>::node_gradient(Range node, const WeightTask& task, const Step& step, int rank,
                                const WeightTask*& copied, T* scratch, T* dw) noexcept {
  if (node.size() == 1) {
    const Range rows = rows_of(step, node.begin);
    if (rows.size() == 0) {
      std::fill_n(dw, task.cost(), T{0});
    } else {
      task_gradient(network_, workspace_, task, rows, {0, step.batch.rows}, {}, rank, copied, dw);
    }
    return;
  }
  const Index middle = (node.begin + node.end) / 2;
  node_gradient({node.begin, middle}, task, step, rank, copied, scratch, dw);
  node_gradient({middle, node.end}, task, step, rank, copied, scratch + task_size_, scratch);
  add_to(dw, scratch, task.cost());
}

template <class T>
void ByShards<T>::gradient(const WeightTask& task, const Step& step, const Ahead<T>&, int rank,
                           const WeightTask*& copied, T* dw) noexcept {
  T* scratch = sums_.data() + rank * sums_of_thread_;
  const std::vector<Range>& nodes = reduction_.nodes();
  for (std::size_t k = 0; k < nodes.size(); ++k) {
    T* to = k == 0 ? dw : reduction_.part(k) + task.at;
    node_gradient(nodes[k], task, step, rank, copied, scratch, to);
  }
}

template class ByShards<float>;
template class ByShards<double>;

}  // namespace fastmlp
