// Choosing kernels, memory, and what is refused at the door.
#include <gmock/gmock.h>

#include <cstdlib>

#include "fixture.h"

// AddressSanitizer would otherwise end the program where the system's allocator says no.
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }

namespace paligemma {
namespace {

using ::testing::HasSubstr;

template <class F>
std::string code_of(F f) {
  try {
    f();
  } catch (const Error& error) {
    return error.code();
  }
  return "";
}

// $PALIGEMMA_ISA for the length of a test.
class Variable {
 public:
  explicit Variable(const char* value) { setenv("PALIGEMMA_ISA", value, 1); }
  ~Variable() { unsetenv("PALIGEMMA_ISA"); }
};

TEST(MakeCpuBackend, RunsTheInstructionSetThatIsForced) {
  for (const Isa& isa : isas()) {
    const std::string name(isa.name);
    const auto by_option = [&] { return make_cpu_backend({.threads = 1, .isa = name}); };
    const auto by_variable = [&] {
      const Variable variable(name.c_str());
      return make_cpu_backend({.threads = 1});
    };
    if (isa.runs_here) {
      EXPECT_EQ(by_option()->name(), "cpu " + name);
      EXPECT_EQ(by_variable()->name(), "cpu " + name);
    } else {
      EXPECT_EQ(code_of(by_option), "isa");
      EXPECT_EQ(code_of(by_variable), "isa");
    }
  }
}

TEST(MakeCpuBackend, TheOptionOverrulesTheVariable) {
  const Variable variable("nonsense");
  EXPECT_EQ(make_cpu_backend({.threads = 1, .isa = "portable"})->name(), "cpu portable");
}

TEST(MakeCpuBackend, TakesTheBestByItself) {
  std::string best;
  for (const Isa& isa : isas()) {
    if (isa.runs_here) best = isa.name;
  }
  EXPECT_EQ(make_cpu_backend({.threads = 1})->name(), "cpu " + best);
}

TEST(MakeCpuBackend, SaysWhichNamesItKnows) {
  try {
    make_cpu_backend({.threads = 1, .isa = "sse9"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_EQ(error.code(), "isa");
    EXPECT_THAT(error.what(), HasSubstr("portable"));
    EXPECT_THAT(error.what(), HasSubstr("sse9"));
  }
}

// Each table computes with its own kernels: none is left over from the one below where it says that it has a better.
TEST(Isas, TablesDiffer) {
  std::vector<Kernels> tables = tables_to_test();
  for (std::size_t i = 1; i < tables.size(); ++i) {
    const auto differs = [&](int type) { return tables[i].product[1][type].run != tables[i - 1].product[1][type].run; };
    EXPECT_TRUE(differs(1) || differs(2)) << tables[i].name;
  }
}

TEST(Memory, IsAlignedAndZero) {
  CpuBackend backend(choose_kernels("portable"), 1);
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{1000}, std::size_t{9} << 20}) {
    for (int again = 0; again < 2; ++again) {
      const Buffer buffer = backend.allocate(bytes);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.get()) % 64, 0u);
      for (std::size_t i = 0; i < bytes; i += 61) ASSERT_EQ(buffer[i], std::byte{0});
      std::fill_n(buffer.get(), bytes, std::byte{1});
    }
  }
}

TEST(Memory, SaysHowMuchWasAsked) {
  CpuBackend backend(choose_kernels("portable"), 1);
  for (const std::size_t bytes : {std::size_t{1} << 62, ~std::size_t{0}}) {
    try {
      backend.allocate(bytes);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::resource);
      EXPECT_EQ(error.code(), "out_of_memory");
      EXPECT_THAT(error.what(), HasSubstr(std::to_string(bytes)));
    }
  }
}

TEST(Weights, KnowTheirSize) {
  CpuBackend backend(choose_kernels("portable"), 1);
  EXPECT_EQ(backend.matrix_bytes(17, 3, DType::f32), 2u * 16 * 3 * 4);
  EXPECT_EQ(backend.matrix_bytes(17, 3, DType::bf16), 2u * 16 * 4 * 2);
  EXPECT_EQ(backend.matrix_bytes(17, 3, DType::f16), backend.matrix_bytes(17, 3, DType::f32));
  const Weight weight = backend.make_matrix(17, 3, DType::bf16);
  EXPECT_EQ(weight.bytes, backend.matrix_bytes(17, 3, DType::bf16));
  EXPECT_EQ(backend.make_matrix(1, 1, DType::f16).dtype, DType::f32);
  EXPECT_EQ(code_of([&] { backend.matrix_bytes(std::int64_t{1} << 50, std::int64_t{1} << 30, DType::f32); }), "shape");
  EXPECT_EQ(code_of([&] { backend.make_kv_cache(1 << 30, 1 << 30, 256, 1 << 30, DType::f32); }), "shape");
}

TEST(Weights, VectorsOfEachType) {
  CpuBackend backend(choose_kernels("portable"), 1);
  for (const DType type : {DType::f32, DType::bf16, DType::f16}) {
    const HostMatrix host(3, 5, type, numbers(15, 1));
    const Weight vector = backend.make_vector(host.tensor(), 3, 5);
    EXPECT_EQ(std::vector<float>(vector.view().data, vector.view().data + 15), host.values);
    EXPECT_EQ(code_of([&] { backend.make_vector(host.tensor(), 5, 5); }), "shape");
  }
}

TEST(Weights, RefusePiecesThatDoNotFit) {
  CpuBackend backend(choose_kernels("portable"), 1);
  Weight weight = backend.make_matrix(100, 4, DType::f32);
  const HostMatrix host(100, 4, DType::f32, numbers(400, 1));
  EXPECT_EQ(code_of([&] { backend.place_rows(weight, 64, host.tensor(0, 64)); }), "shape");
  EXPECT_EQ(code_of([&] { backend.place_rows(weight, 0, host.tensor(0, 63)); }), "shape");
  EXPECT_EQ(code_of([&] { backend.place_rows(weight, 32, host.tensor(0, 64)); }), "shape");
  HostTensor torn = host.tensor(0, 64);
  torn.bytes = torn.bytes.first(torn.bytes.size() - 1);
  EXPECT_EQ(code_of([&] { backend.place_rows(weight, 0, torn); }), "shape");
  HostTensor huge = host.tensor(0, 64);
  huge.shape = {std::int64_t{1} << 40, std::int64_t{1} << 40};
  EXPECT_EQ(code_of([&] { backend.place_rows(weight, 0, huge); }), "shape");
  Matrix x(2, 5, 1u), y(2, 100);
  const LinearPart part{&weight, nullptr, y.view()};
  EXPECT_EQ(code_of([&] { backend.linear(x.view(), {&part, 1}, Precision::f32); }), "shape");
}

}  // namespace
}  // namespace paligemma
