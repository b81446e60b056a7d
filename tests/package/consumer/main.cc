#include <paligemma/paligemma.h>

#include <iostream>

// Asks the model that is part of the library about a gray picture; prints the library's version.
int main() {
  paligemma::Model model = paligemma::Model::embedded();
  paligemma::Request request{.task = paligemma::Task::caption, .max_tokens = 4};
  const paligemma::Picture gray{64, 64, std::vector<std::uint8_t>(64 * 64 * 3, 128)};
  request.pictures.push_back({.path = "gray", .pixels = gray});
  const paligemma::Result result = model.answer(request);
  std::cout << paligemma::version() << '\n';
  return result.generated_tokens > 0 ? 0 : 1;
}
