// The training loop: epochs of mini-batches in C++ from beginning to end. How a team shares a step
// is its schedule's affair (train/schedule.h), and what becomes of a gradient that of
// train/update.h.
#pragma once

#include <atomic>
#include <limits>
#include <map>
#include <memory>

#include "base/row_source.h"
#include "train/by_shards.h"
#include "train/hooks.h"
#include "train/progress.h"
#include "train/schedule.h"
#include "train/shards.h"
#include "train/team_size.h"
#include "train/update.h"

namespace fastmlp {

template <class T>
class Trainer {
 public:
  /// The network must outlive the trainer.
  Trainer(Network<T>& network, const TrainSettings& settings);
  Trainer(const Trainer&) = delete;  // `update_` looks at `settings_`
  Trainer& operator=(const Trainer&) = delete;

  /// Trains for up to `epochs` epochs. With a validation set the best weights are put back at the
  /// end, whatever ended the run; without one, or where no epoch had a score, they stay those of
  /// the last step, unless that left numbers that are not finite: then those of the beginning (or
  /// those given to keep_params) are put back. `report` is filled as epochs finish, so it is right
  /// even where a hook throws. `threads` 0 means all. With `shared` rows those of the source are
  /// this process's, in one window, and the validation set is the same in all of them; what the
  /// hooks answer has to be, too.
  void run(RowSource& source, const DataView* validation, Index epochs, int threads, Hooks& hooks,
           RunReport& report, const SharedRows* shared = nullptr);

  const Network<T>& network() const { return network_; }
  const TrainSettings& settings() const { return settings_; }
  Progress& progress() { return progress_; }
  int slot_count() const { return update_.slot_count(); }
  /// The optimizer's memory: flat arrays of the parameters' layout.
  T* slot(int i) { return update_.slot(i); }
  /// In a run, behind an epoch: the weights of the best one; null where none are kept.
  const T* kept_params() const {
    return progress_.kept > Progress::kNone ? kept_params_.data() : nullptr;
  }
  /// Such weights for the next run to begin with, in place of the network's.
  void keep_params(AlignedBuffer<T> params) { kept_params_ = std::move(params); }

 private:
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
    /// Of the last step of a team that another one is to follow; rank 0 writes it in the first
    /// phase.
    std::atomic<Index> last{std::numeric_limits<Index>::max()};
    std::atomic<bool> finite{true};            // counts unless `stop`, which was before
    std::atomic<bool> given_up{false};         // rank 0's: to stop before the gradient is applied
    int team_size = 1;                         // rank 0's: of the last steps
    int fewest_threads = 0;                    // rank 0's: of a team so far
    bool stop = false;                         // rank 0's: a hook asked to
    double loss_sum = 0.0;                     // rank 0's: batch loss x rows of the steps so far
    Index rows = 0;                            // rank 0's: of the steps so far
    Index batches = 0;                         // rank 0's: steps so far
    std::vector<double>* step_loss = nullptr;  // rank 0's, with room for the steps of a window

    void add(double loss, Index its_rows) noexcept {
      loss_sum += loss * static_cast<double>(its_rows);
      rows += its_rows;
      batches += 1;
      step_loss->push_back(loss);
    }
  };

  /// How a team divides the two phases.
  struct Balances {
    Balance first;
    Balance second;
  };

  /// What a run that several processes share has beside the others.
  struct Sharing {
    Sharing(const SharedRows& rows, const Network<T>& network, Index batch)
        : epoch(rows, batch),
          reduction(rows, weight_tasks(network, batch, TaskOrder::kRows), network.flat_size()) {
      losses.resize(reduction.nodes().size());
    }
    ShardedEpoch epoch;
    Reduction<T> reduction;
    std::vector<double> losses;  // of a step, of each node
  };

  /// What run_epochs() goes by.
  struct Plan {
    Index rows;  // of all processes
    Index epochs;
    Index batch;
    Threads batch_threads;  // the most that a step's team may have
    int threads;            // as given
  };

  void plan_run(Index batch, int threads);
  bool agree(const Step& step, Epoch& epoch, double& loss) noexcept;
  bool anybody_stops(bool stops) noexcept;
  Balances& balances_of(Index batch, int threads);
  Work work_of(const Plan& plan) const;
  Stopped run_epochs(RowSource& source, const DataView* validation, const Plan& plan,
                     TeamSize& team_size, Hooks& hooks, RunReport& report);
  bool run_epoch(RowSource& source, const Plan& plan, TeamSize& team_size, Poll& poll,
                 Epoch& epoch);
  void run_window(const DataView& data, Index number, const Plan& plan, TeamSize& team_size,
                  Poll& poll, Epoch& epoch);
  Index run_steps(const DataView& data, Range rows, Index batch, Threads threads, Poll& poll,
                  Epoch& epoch);
  bool has_own_loss_stopped() const {
    return settings_.loss.own && settings_.loss.own->has_stopped();
  }
  void keep_params(Threads threads);
  void put_back_params();
  Validation validate(const DataView* validation, int threads, Poll& poll, Hooks& hooks);

  Batch make_batch(const DataView& data, Index first, Index batch) const noexcept;
  /// Of all processes.
  double weight_of(const Batch& batch, Index first, Index batch_size) const noexcept;
  Step make_step(const Batch& batch, double weight_sum, Index number) const noexcept;

  /// What the schedule was made for.
  struct Planned {
    Index batch = 0;
    int threads = 0;
    bool whole = false;
  };

  Network<T>& network_;
  TrainSettings settings_;
  Progress progress_;
  Update<T> update_;
  Planned planned_;
  std::unique_ptr<Schedule<T>> schedule_;
  std::unique_ptr<Sharing> sharing_;  // in a run that processes share
  std::map<int, Balances> balances_;  // of this run, by the number of threads
  std::vector<Index> order_;
  AlignedBuffer<T> kept_params_;  // of the best epoch, or of the beginning of the run
  AlignedBuffer<T> val_outputs_;
};

}  // namespace fastmlp
