// The clean-up of answers of the official VQA evaluation, with its peculiarities.
#include <algorithm>
#include <map>
#include <sstream>
#include <vector>

#include "eval/answers.h"
#include "text/characters.h"

namespace paligemma {
namespace {

constexpr std::u32string_view kPunctuation = U";/[]\"{}()=+\\_-><@`,?!";

// Each of these is also meant where one of its apostrophes is missing.
constexpr std::string_view kContractions =
    "'ow's'at 'twas ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't "
    "haven't he'd he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am might've mightn't mightn't've must've "
    "mustn't needn't not've o'clock oughtn't shan't she'd've should've shouldn't shouldn't've somebody'd've "
    "somebody'll "
    "somebody's someone'd someone'd've someone'll someone's something'd something'd've something'll that's there'd "
    "there'd've there're there's they'd they'd've they'll they're they've wasn't we'd've we've weren't what'll what're "
    "what's what've when's where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't "
    "would've wouldn't wouldn't've y'all y'all'd've y'all'll you'd you'd've you'll you're you've";

constexpr std::string_view kNumbers = "zero one two three four five six seven eight nine ten";

// What is written -> what is meant.
std::map<std::string, std::string, std::less<>> spellings() {
  std::map<std::string, std::string, std::less<>> meant = {{"somebody'd", "somebodyd"}, {"none", "0"}};
  std::istringstream contractions{std::string(kContractions)}, numbers{std::string(kNumbers)};
  for (std::string right; contractions >> right;)
    for (std::size_t at = right.find('\''); at != right.npos; at = right.find('\'', at + 1))
      meant[std::string(right).erase(at, 1)] = right;
  int number = 0;
  for (std::string word; numbers >> word;) meant[word] = std::to_string(number++);
  return meant;
}

bool has_comma_in_number(std::u32string_view text) {
  for (std::size_t i = 1; i + 1 < text.size(); ++i)
    if (text[i] == U',' && is_digit(text[i - 1]) && is_digit(text[i + 1])) return true;
  return false;
}

bool has_at_a_space(std::u32string_view text, char32_t mark) {
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] == mark && ((i > 0 && text[i - 1] == U' ') || (i + 1 < text.size() && text[i + 1] == U' ')))
      return true;
  return false;
}

// A mark becomes a space, or nothing where any of its kind stands at a space, or where any number has a comma.
std::u32string without_punctuation(std::u32string text) {
  const bool comma = has_comma_in_number(text);
  std::u32string dropped;
  for (const char32_t mark : kPunctuation)
    if (comma || has_at_a_space(text, mark)) dropped += mark;
  std::u32string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (kPunctuation.find(text[i]) == kPunctuation.npos) {
      plain += text[i];
    } else if (dropped.find(text[i]) == dropped.npos) {
      plain += U' ';
    }
  }
  // A full stop stays only in front of a digit.
  std::u32string numbers;
  for (std::size_t i = 0; i < plain.size(); ++i)
    if (plain[i] != U'.' || (i + 1 < plain.size() && is_digit(plain[i + 1]))) numbers += plain[i];
  return numbers;
}

}  // namespace

std::string vqa_text(std::string_view text) {
  static const auto meant = spellings();
  const std::u32string small = lower_case(without_punctuation(code_points(text)));
  std::string words;
  for (std::size_t at = 0; at < small.size();) {
    if (is_space(small[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < small.size() && !is_space(small[end])) ++end;
    const std::string word = utf8(std::u32string_view(small).substr(at, end - at));
    at = end;
    if (word == "a" || word == "an" || word == "the") continue;
    const auto found = meant.find(word);
    words += words.empty() ? "" : " ";
    words += found == meant.end() ? word : found->second;
  }
  return words;
}

}  // namespace paligemma
