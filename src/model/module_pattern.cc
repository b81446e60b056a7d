#include "model/module_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/error.h"

namespace paligemma {
namespace {

constexpr std::size_t kMaxLength = 512;      // of an expression; names of modules have about 60 letters
constexpr std::uint32_t kMaxSteps = 10'000;  // of a match; "(.*)\.(q|v)_proj" and the like take some hundreds
constexpr std::uint32_t kMaxHeapKiB = 1024;
constexpr std::uint32_t kMaxNesting = 32;

struct Free {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  void operator()(pcre2_compile_context* context) const { pcre2_compile_context_free(context); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

std::string message_of(int error) {
  PCRE2_UCHAR text[128] = {};
  pcre2_get_error_message(error, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

}  // namespace

struct ModulePattern::Compiled {
  std::string expression, where;
  Of of;
  Owned<pcre2_code> code;
  Owned<pcre2_match_context> limits;
  Owned<pcre2_match_data> data;

  [[noreturn]] void refuse(std::string_view reason) const {
    const bool usage = of == Of::whole;
    fail(usage ? ErrorKind::usage : ErrorKind::model, usage ? "pattern" : "adapter_config",
         usage ? "bad pattern: " : "cannot use the adapter: ", where, ": ", expression.substr(0, kMaxLength),
         ": expected a regular expression of at most ", kMaxLength, " letters: ", reason);
  }
};

ModulePattern::ModulePattern(const std::string& expression, std::string_view where, Of of)
    : compiled_(
          new Compiled{.expression = expression, .where = std::string(where), .of = of, .code{}, .limits{}, .data{}}) {
  if (expression.size() > kMaxLength) compiled_->refuse(join("got ", expression.size()));
  const Owned<pcre2_compile_context> context(pcre2_compile_context_create(nullptr));
  if (context) pcre2_set_parens_nest_limit(context.get(), kMaxNesting);
  const std::string whole = (of == Of::whole ? "(" : "(.*\\.)?(") + expression + ")$";
  int error = 0;
  PCRE2_SIZE at = 0;
  compiled_->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(whole.data()), whole.size(),
                                      PCRE2_ANCHORED | PCRE2_NEVER_BACKSLASH_C, &error, &at, context.get()));
  if (!compiled_->code) compiled_->refuse(message_of(error));
  compiled_->limits.reset(pcre2_match_context_create(nullptr));
  compiled_->data.reset(pcre2_match_data_create(1, nullptr));
  if (!compiled_->limits || !compiled_->data) fail(ErrorKind::resource, "out_of_memory", "not enough memory");
  pcre2_set_match_limit(compiled_->limits.get(), kMaxSteps);
  pcre2_set_depth_limit(compiled_->limits.get(), kMaxSteps);
  pcre2_set_heap_limit(compiled_->limits.get(), kMaxHeapKiB);
}

ModulePattern::~ModulePattern() = default;
ModulePattern::ModulePattern(ModulePattern&&) noexcept = default;
ModulePattern& ModulePattern::operator=(ModulePattern&&) noexcept = default;

bool ModulePattern::matches(std::string_view module) const {
  const int result = pcre2_match(compiled_->code.get(), reinterpret_cast<PCRE2_SPTR>(module.data()), module.size(), 0,
                                 0, compiled_->data.get(), compiled_->limits.get());
  if (result < 0 && result != PCRE2_ERROR_NOMATCH) compiled_->refuse(message_of(result));
  return result >= 0;  // 0: a match with more groups than there is room for
}

}  // namespace paligemma
