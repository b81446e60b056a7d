// What there is in the drawn world, and what it is called: one table a fact. Everything else refers to rows of these.
//
// Names are lower case and plain English, as the prompts are; Korean nouns stand without particles.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace paligemma::world {

// Where a thing may be: on the ground below the horizon; mostly in the upper half; anywhere.
enum class Stand { ground, air, any };

struct Thing {
  std::string_view name{}, plural{};
  std::string_view korean{}, counter{};  // "소", "마리"
  Stand stand = Stand::ground;
  bool animal = false;
  // The artwork's own hue in degrees, of what is given one of the tints; the others have no colour that anybody is
  // asked for.
  int hue = -1;
};

struct Place {
  std::string_view name{}, preposition{};  // "field", "in the"
  std::string_view korean{};
  std::string_view picture{};  // "a field": what a picture is of
};

struct Colour {
  std::string_view name{};
  std::string_view korean{}, korean_adjective{};  // "빨간색", "빨간"
  int hue = -1;                                   // degrees, where things are tinted; -1: only boards have it
  std::array<std::uint8_t, 3> board{};            // of a sign; all zero: no board has it
  bool dark_letters = false;                      // on such a board
};

std::span<const Thing> things();  // the sign is the last one
std::span<const Place> places();
std::span<const Colour> colours();
inline constexpr std::size_t kTints = 5;  // the first so many are those that things have
std::size_t sign_place();

// Words that a sign may say; as many signs have one to four letters and digits that mean nothing.
std::span<const std::string_view> latin_words();
std::span<const std::string_view> hangul_words();
inline constexpr std::string_view kSignLetters = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789";

}  // namespace paligemma::world
