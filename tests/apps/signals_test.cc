#include "signals.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

namespace paligemma {
namespace {

// Each statement runs in a process of its own; 99 means that it went on where it should have ended.

TEST(SignalsDeathTest, EndAtOnceBetweenPictures) {
  EXPECT_EXIT((watch_signals(), raise(SIGINT), _exit(99)), ::testing::ExitedWithCode(130), "");
  EXPECT_EXIT((watch_signals(), raise(SIGTERM), _exit(99)), ::testing::ExitedWithCode(143), "");
}

TEST(SignalsDeathTest, TheFirstInterruptIsNotedAndTheSecondEnds) {
  EXPECT_EXIT((watch_signals(), defer_signals(true), raise(SIGINT),
               _exit(interrupted() && !terminated() ? signal_exit_code() - 100 : 99)),
              ::testing::ExitedWithCode(30), "");
  EXPECT_EXIT((watch_signals(), defer_signals(true), raise(SIGINT), raise(SIGINT), _exit(99)),
              ::testing::ExitedWithCode(130), "");
}

TEST(SignalsDeathTest, TerminationIsNotedAlsoAfterAnInterrupt) {
  EXPECT_EXIT((watch_signals(), defer_signals(true), raise(SIGINT), raise(SIGTERM),
               _exit(terminated() ? signal_exit_code() - 100 : 99)),
              ::testing::ExitedWithCode(43), "");
}

TEST(SignalsDeathTest, WhatIsIgnoredStaysIgnored) {
  EXPECT_EXIT((signal(SIGINT, SIG_IGN), watch_signals(), raise(SIGINT), raise(SIGPIPE), _exit(interrupted() ? 99 : 0)),
              ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace paligemma
