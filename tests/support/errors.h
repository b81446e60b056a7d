// How tests look at errors.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string_view>

#include "base/error.h"

namespace paligemma {

// Runs `call` and expects an Error with this kind and code whose message has `part` in it.
template <class Call>
void expect_error(ErrorKind kind, std::string_view code, std::string_view part, const Call& call) {
  try {
    call();
    ADD_FAILURE() << "no error; expected one with \"" << part << '"';
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind);
    EXPECT_EQ(error.code(), code);
    EXPECT_THAT(error.what(), ::testing::HasSubstr(part));
  }
}

}  // namespace paligemma
