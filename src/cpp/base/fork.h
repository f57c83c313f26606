// What a child of fork() must do before anything else: the threads of its parent aren't there, and
// a lock that one of them held would stay shut. The only file that knows whether there is a fork().
#pragma once

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace fastmlp {

/// Has `reset` called in every child of this process; true, to be the value of a static.
inline bool call_in_forked_child([[maybe_unused]] void (*reset)()) noexcept {
#if defined(__unix__) || defined(__APPLE__)
  pthread_atfork(nullptr, nullptr, reset);
#endif
  return true;
}

}  // namespace fastmlp
