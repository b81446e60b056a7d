// Ctrl-C and termination. While pictures are answered, the first SIGINT lets the running one finish and the second ends
// the program at once; SIGTERM stops between two tokens. At any other time both end the program at once.
#pragma once

namespace paligemma {

// Installs the handlers (a signal that is ignored stays ignored, as under nohup) and ignores SIGPIPE and SIGXFSZ, so
// that a closed pipe and a file that is not allowed to grow are errors of write().
void watch_signals();

// Between true and false, signals are only noted.
void defer_signals(bool defer);

// A signal was noted: answer no further picture.
bool interrupted();

// SIGTERM was noted: do not even finish this one.
bool terminated();

// 0 without a signal, 130 after SIGINT, 143 after SIGTERM.
int signal_exit_code();

}  // namespace paligemma
