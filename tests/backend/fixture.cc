#include "fixture.h"

#include "emulated.h"

namespace paligemma {

std::vector<Kernels> tables_to_test() {
  std::vector<Kernels> tables;
  for (const Isa& isa : isas()) {
    if (isa.runs_here) tables.push_back(choose_kernels(isa.name));
  }
  const std::vector<Kernels> emulated = emulated_tables();
  tables.insert(tables.end(), emulated.begin(), emulated.end());
  return tables;
}

// f16 here is exact only for values that bf16 with three more bits would hold: rounds by truncation, normal range.
HostMatrix::HostMatrix(std::int64_t rows, std::int64_t cols, DType type, std::vector<float> from)
    : rows(rows),
      cols(cols),
      type(type),
      values(std::move(from)),
      bytes(1 + values.size() * std::size_t(byte_size(type))) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::byte* to = &bytes[1 + i * std::size_t(byte_size(type))];
    if (type == DType::f32) {
      std::memcpy(to, &values[i], 4);
      continue;
    }
    std::uint16_t bits = f32_to_bf16(values[i]);
    if (type == DType::f16) {
      const auto whole = std::bit_cast<std::uint32_t>(values[i]);
      const int exponent = int(whole >> 23 & 0xff) - 112;
      bits = std::uint16_t(whole >> 16 & 0x8000);
      if (exponent > 0) bits = std::uint16_t(bits | exponent << 10 | (whole >> 13 & 0x3ff));
    }
    values[i] = type == DType::f16 ? f16_to_f32(bits) : bf16_to_f32(bits);
    std::memcpy(to, &bits, 2);
  }
}

HostTensor HostMatrix::tensor(std::int64_t first, std::int64_t count) const {
  const std::size_t row = std::size_t(cols * byte_size(type));
  return {type, {count, cols}, std::span(bytes).subspan(1 + std::size_t(first) * row, std::size_t(count) * row)};
}

Weight place(Backend& backend, const HostMatrix& host, DType as) {
  Weight weight = backend.make_matrix(host.rows, host.cols, as);
  for (std::int64_t first = 0; first < host.rows; first += Backend::kPlaceRows) {
    backend.place_rows(weight, first, host.tensor(first, std::min(Backend::kPlaceRows, host.rows - first)));
  }
  return weight;
}

Weight place_vector(Backend& backend, const std::vector<float>& values) {
  const auto count = std::int64_t(values.size());
  return backend.make_vector({DType::f32, {count}, std::as_bytes(std::span(values))}, 1, count);
}

}  // namespace paligemma
