#include "train/schedule.h"

#include "nn/rules.h"
#include "train/by_chunks.h"
#include "train/by_columns.h"
#include "train/by_rows.h"

namespace fastmlp {

template <class T>
std::unique_ptr<Schedule<T>> make_schedule(Network<T>& network, Index batch, int threads,
                                           bool own_loss, bool whole, int slots) {
  if (own_loss) return std::make_unique<ByRows<T>>(network, batch, threads);
  if (suits_chunks(network, batch)) {
    return std::make_unique<ByChunks<T>>(network, batch, threads, whole, slots);
  }
  if (!whole && suits_columns(network, batch)) {
    return std::make_unique<ByColumns<T>>(network, batch, threads);
  }
  return std::make_unique<ByRows<T>>(network, batch, threads);
}

template std::unique_ptr<Schedule<float>> make_schedule(Network<float>&, Index, int, bool, bool,
                                                        int);
template std::unique_ptr<Schedule<double>> make_schedule(Network<double>&, Index, int, bool, bool,
                                                         int);

}  // namespace fastmlp
