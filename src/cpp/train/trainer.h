// The training loop: epochs of mini-batches in C++ from beginning to end.
//
// A step has two phases with a barrier behind each. First every thread takes a share of the
// batch's rows through gather, forward, loss and backward; then the weight gradients of all layers
// are one list of tasks, and each finished piece of gradient meets the optimizer while it is in L1.
// Where there are more weights than activations the team shares the columns of each layer instead
// (nn/passes.h), and on the way back a layer's weights are updated as soon as the gradient of its
// input needs them no more.
// Small networks go by chunks of rows (train/chunks.h).
// No gradient is ever summed over threads, so results cannot depend on their number: chunks depend
// on shapes, and are summed in their order.
#pragma once

#include <atomic>
#include <limits>
#include <map>
#include <memory>

#include "base/balance.h"
#include "nn/passes.h"
#include "train/chunks.h"
#include "train/hooks.h"
#include "train/progress.h"
#include "train/team_size.h"

namespace fastmlp {

template <class T>
class Trainer {
 public:
  /// The network must outlive the trainer.
  Trainer(Network<T>& network, const TrainSettings& settings);

  /// Trains for up to `epochs` epochs. With a validation set the best weights are put back at the
  /// end, whatever ended the run; without one, or where no epoch had a score, they stay those of
  /// the last step, unless that left numbers that are not finite: then those of the beginning are
  /// put back. `report` is filled as epochs finish, so it is right even where a hook throws.
  /// `threads` 0 means all.
  void run(const DataView& data, const DataView* validation, Index epochs, int threads,
           Hooks& hooks, RunReport& report);

  const Network<T>& network() const { return network_; }
  const TrainSettings& settings() const { return settings_; }
  Progress& progress() { return progress_; }
  int slot_count() const;
  /// The optimizer's memory: flat arrays of the parameters' layout.
  T* slot(int i) { return slots_[i].data(); }

 private:
  /// What one step needs to know. Every thread makes its own, and all are equal.
  struct Step {
    Batch batch;
    double weight_sum;
    MaskKey masks;
    LossPlan loss;
    Coefficients coefficients;
    double penalty_scale;
    Index number;  // from 1
  };

  /// What an epoch's weights are worth on the validation set; NaN without one.
  struct Validation {
    double loss = std::numeric_limits<double>::quiet_NaN();
    double score = std::numeric_limits<double>::quiet_NaN();
  };

  /// One epoch in progress: what the team shares.
  struct Epoch {
    /// Number of the first step that is not made to its end: a thread that finds a loss not finite
    /// in a first phase writes its step's, and so does rank 0 where a hook asks to stop. Read
    /// behind the barrier of the first phase.
    std::atomic<Index> end{std::numeric_limits<Index>::max()};
    std::atomic<bool> finite{true};            // counts unless `stop`, which was before
    std::atomic<bool> given_up{false};         // rank 0's: to stop before the gradient is applied
    bool stop = false;                         // rank 0's: a hook asked to
    double loss_sum = 0.0;                     // rank 0's: batch loss x rows of the steps so far
    Index rows = 0;                            // rank 0's: of the steps so far
    Index batches = 0;                         // rank 0's: steps so far
    std::vector<double>* step_loss = nullptr;  // rank 0's, with room for all steps of the epoch
  };

  /// How the team shares a step: see nn/passes.h and train/chunks.h.
  enum class Sharing { kRows, kColumns, kChunks };

  /// How a team divides the two phases.
  struct Balances {
    Balance first;
    Balance second;
  };

  /// What run_epochs() goes by.
  struct Plan {
    Index epochs;
    Index batch;
    int batch_threads;  // the most that a step's team may have
    int threads;        // as given
  };

  void plan_run(const DataView& data, Index batch, int threads);
  void plan_tasks(Index batch);
  void plan_balance(Index batch, int threads);
  Work work_of(const Plan& plan) const;
  Stopped run_epochs(const DataView& data, const DataView* validation, const Plan& plan,
                     TeamSize& team_size, Hooks& hooks, RunReport& report);
  bool run_epoch(const DataView& data, const Plan& plan, TeamSize& team_size, Poll& poll,
                 Epoch& epoch);
  void run_steps(const DataView& data, Range rows, Index batch, int threads, Poll& poll,
                 Epoch& epoch);
  void keep_params(int threads);
  void put_back_params();
  Validation validate(const DataView* validation, int threads, Poll& poll, Hooks& hooks);

  // One step: step.cpp.
  Batch make_batch(const DataView& data, Index first, Index batch) const noexcept;
  Step make_step(const Batch& batch, double weight_sum, Index number) const noexcept;
  bool step_rows(const Step& step, const Team& team, Poll& poll) noexcept;
  bool step_chunks(const Step& step, Range chunks, const Team& team, Poll& poll) noexcept;
  double batch_loss(const Step& step) const noexcept;
  Index turn_of(const Step& step) const noexcept;
  Network<T>& network_of(int rank) const noexcept;
  T* slot_of(int rank, int i) noexcept;
  void copy_to_replica(int rank) noexcept;
  bool step_weights(const Step& step, const Team& team, Poll& poll, Epoch& epoch) noexcept;
  void step_columns(const Step& step, const Team& team) noexcept;
  bool fetches_ahead(Index layer, Index rows) const noexcept;
  void update_task(std::size_t index, const Ahead<T>& ahead, const Step& step, int rank) noexcept;
  bool update_whole(const Step& step, const Team& team, Poll& poll, Epoch& epoch) noexcept;
  template <class Visit>
  void for_each_own(Range mine, const Step& step, const Team& team, const WeightTask*& copied,
                    Visit visit) noexcept;
  void update_part(Range within, const Step& step, const Team& team, Turn& turn) noexcept;
  void update_tasks(Range mine, const Step& step, const Team& team,
                    const WeightTask*& copied) noexcept;
  void task_gradient(const WeightTask& task, const Step& step, const Ahead<T>& ahead, int rank,
                     T* dw) noexcept;
  void apply(std::size_t index, const Step& step, int rank, const T* gradient) noexcept;
  Ahead<T> rows_of(const WeightTask& task) noexcept;
  T* scratch(int rank) const noexcept;
  double clipped_scale() const noexcept;

  Network<T>& network_;
  TrainSettings settings_;
  Progress progress_;
  AlignedBuffer<T> slots_[kMaxSlots];
  std::vector<WeightTask> tasks_;     // of this run
  std::vector<Range> layer_tasks_;    // of each layer, where they are in `tasks_`
  Sharing sharing_ = Sharing::kRows;  // of this run
  std::map<int, Balances> balances_;  // of this run, by the number of threads
  Balances* balances_now_ = nullptr;  // of the steps in progress
  std::vector<double> penalties_;     // one per task
  bool whole_ = false;                // in this run the gradient is finished before any update
  AlignedBuffer<T> gradient_;         // of all parameters, where it is
  std::vector<double> squares_;       // per task, the sum of the squares of its gradient
  std::vector<Index> order_;
  std::unique_ptr<Workspace<T>> workspace_;  // the team's, unless by chunks
  Chunks<T> chunks_;
  bool replicates_ = false;       // in the steps in progress: each thread updates its replica
  AlignedBuffer<T> kept_params_;  // of the best epoch, or of the beginning of the run
  AlignedBuffer<T> val_outputs_;
};

}  // namespace fastmlp
