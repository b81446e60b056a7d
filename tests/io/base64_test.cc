#include "io/base64.h"

#include "contents.h"

namespace paligemma {
namespace {

std::string decoded(std::string_view text) {
  const auto bytes = decode_base64(text);
  return bytes ? std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size()) : "no base64";
}

// The examples of RFC 4648, section 10.
TEST(Base64, IsDecoded) {
  EXPECT_EQ(decoded(""), "");
  EXPECT_EQ(decoded("Zg=="), "f");
  EXPECT_EQ(decoded("Zm8="), "fo");
  EXPECT_EQ(decoded("Zm9v"), "foo");
  EXPECT_EQ(decoded("Zm9vYg=="), "foob");
  EXPECT_EQ(decoded("Zm9vYmE="), "fooba");
  EXPECT_EQ(decoded("Zm9vYmFy"), "foobar");
  EXPECT_EQ(decoded("+/8A"), std::string("\xfb\xff\0", 3));
  EXPECT_EQ(decoded("Zm9v\r\n YmE"), "fooba");
}

TEST(Base64, IsRefusedWhereItIsNone) {
  for (const char* text : {"Z", "Zm9vY", "Zm=v", "Zm9v=", "Zg=", "Zg===", "Zm9!", "Zm\x80v"})
    EXPECT_EQ(decoded(text), "no base64") << text;
}

}  // namespace
}  // namespace paligemma
