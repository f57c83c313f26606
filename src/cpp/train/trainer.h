// The training loop: epochs of mini-batches in C++ from beginning to end.
//
// A step has two phases with a barrier behind each. First every thread takes a share of the
// batch's rows through gather, forward, loss and backward; then the weight gradients of all layers
// are one list of tasks, and each finished piece of gradient meets the optimizer while it is in L1.
// With few rows and wide layers the team shares the columns of each layer instead (nn/passes.h),
// and on the way back each thread takes some rows of w through the gradient of the layer's input,
// its own gradient and the optimizer at once, so that w comes from memory once.
// No gradient is ever summed over threads, so results cannot depend on their number.
#pragma once

#include <memory>

#include "nn/passes.h"
#include "train/hooks.h"
#include "train/progress.h"

namespace fastmlp {

template <class T>
class Trainer {
 public:
  /// The network must outlive the trainer.
  Trainer(Network<T>& network, const TrainSettings& settings);

  /// Trains for up to `epochs` epochs. With a validation set the best weights are put back at the
  /// end, whatever ended the run. `report` is filled as epochs finish, so it is right even where
  /// a hook throws. `rates` has one rate per epoch, or is null for the schedule of the settings.
  /// `threads` 0 means all.
  void run(const DataView& data, const DataView* validation, Index epochs, const double* rates,
           int threads, Hooks& hooks, RunReport& report);

  const Network<T>& network() const { return network_; }
  const TrainSettings& settings() const { return settings_; }
  Progress& progress() { return progress_; }
  int slot_count() const;
  /// The optimizer's memory: flat arrays of the parameters' layout.
  T* slot(int i) { return slots_[i].data(); }

 private:
  struct Step;
  struct Epoch;
  void plan_run(const DataView& data, Index batch, int threads);
  bool run_epoch(const DataView& data, Index batch, int threads, Poll& poll, Epoch& epoch);
  Step make_step(const DataView& data, Index first, Index batch, Index number) const noexcept;
  void step_rows(const Step& step, Epoch& epoch, const Team& team) noexcept;
  void step_columns(const Step& step, Epoch& epoch, const Team& team) noexcept;
  void update_layer(Index layer, const Step& step, const Team& team) noexcept;
  void step_weights(const Step& step, const Team& team) noexcept;
  void update_task(std::size_t index, const Ahead<T>& ahead, const Step& step, int rank) noexcept;
  Ahead<T> rows_of(const WeightTask& task) noexcept;
  void update_clipped(const Step& step, const Team& team) noexcept;
  void apply(std::size_t index, const Step& step, const T* gradient) noexcept;
  double clipped_scale() const noexcept;
  void keep_best();
  struct Validation;
  Validation validate(const DataView* validation, int threads, Hooks& hooks);

  Network<T>& network_;
  TrainSettings settings_;
  Progress progress_;
  AlignedBuffer<T> slots_[kMaxSlots];
  std::vector<WeightTask> tasks_;
  std::vector<Range> layer_tasks_;  // of each layer, where they are in `tasks_`
  bool by_columns_ = false;         // how the team shares a step of this run
  std::vector<double> penalties_;   // one per task
  AlignedBuffer<T> gradient_;       // of all parameters, where its norm is clipped
  std::vector<double> squares_;     // per task, the sum of the squares of its gradient
  std::vector<Index> order_;
  std::unique_ptr<Workspace<T>> workspace_;
  AlignedBuffer<T> best_params_;
  AlignedBuffer<T> val_outputs_;
};

}  // namespace fastmlp
