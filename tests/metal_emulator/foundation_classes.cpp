#include "foundation_classes.h"

#include <functional>

namespace metal_emulator {
namespace {

struct AutoreleasePool : Object {
  static constexpr const char* kClassName = "NSAutoreleasePool";
};

constexpr std::uint64_t kAsciiEncoding = 1;
constexpr std::uint64_t kUtf8Encoding = 4;

void check_encoding(std::uint64_t encoding) {
  if (encoding != kAsciiEncoding && encoding != kUtf8Encoding) {
    fatal("NSString: encoding %llu is not supported", static_cast<unsigned long long>(encoding));
  }
}

// The length that NSString tells is in units of UTF-16.
std::uint64_t utf16_length(const std::string& text) {
  std::uint64_t length = 0;
  for (const unsigned char byte : text) length += (byte & 0xc0) != 0x80 ? (byte >= 0xf0 ? 2 : 1) : 0;
  return length;
}

void register_string() {
  ClassBuilder<String>()
      .class_method("alloc", [] { return make<String>(); })
      .class_method("string", [] { return string(""); })
      .class_method("stringWithString:", [](String* other) { return string(other->text); })
      .class_method("stringWithCString:encoding:",
                    [](const char* text, std::uint64_t encoding) {
                      check_encoding(encoding);
                      return string(text);
                    })
      .method("initWithCString:encoding:",
              [](String& self, const char* text, std::uint64_t encoding) {
                check_encoding(encoding);
                self.text = text;
                return &self;
              })
      .method("UTF8String", [](String& self) { return self.text.c_str(); })
      .method("cStringUsingEncoding:",
              [](String& self, std::uint64_t encoding) {
                check_encoding(encoding);
                return self.text.c_str();
              })
      .method("length", [](String& self) { return utf16_length(self.text); })
      .method("lengthOfBytesUsingEncoding:",
              [](String& self, std::uint64_t encoding) {
                check_encoding(encoding);
                return std::uint64_t{self.text.size()};
              })
      .method("stringByAppendingString:",
              [](String& self, String* other) { return string(self.text + other->text); })
      .method("isEqualToString:", [](String& self, String* other) { return self.text == other->text; })
      .method("isEqual:",
              [](String& self, Object* other) {
                return other->type == self.type && static_cast<String*>(other)->text == self.text;
              })
      .method("hash", [](String& self) { return std::uint64_t{std::hash<std::string>()(self.text)}; })
      .method("description", [](String& self) { return &self; })
      .method("copy", [](String& self) { return retained(&self); });
}

void register_error() {
  ClassBuilder<Error>()
      .method("domain", [](Error& self) { return self.domain.get(); })
      .method("code", [](Error& self) { return self.code; })
      .method("localizedDescription", [](Error& self) { return self.description.get(); })
      .method("description", [](Error& self) { return self.description.get(); });
}

void register_pool() {
  ClassBuilder<AutoreleasePool>()
      .class_method("alloc", [] { return make<AutoreleasePool>(); })
      .method("init",
              [](AutoreleasePool& self) {
                push_pool(&self);
                return &self;
              })
      .method("drain",
              [](AutoreleasePool& self) {
                pop_pool(&self);
                release(&self);
              })
      .method("release",
              [](AutoreleasePool& self) {
                pop_pool(&self);
                release(&self);
              })
      .method("addObject:", [](AutoreleasePool&, Object* object) { autorelease(object); });
}

}  // namespace

String* string(std::string text) { return static_cast<String*>(autorelease(make<String>(std::move(text)))); }

Error* error(const char* domain, std::int64_t code, std::string description) {
  return static_cast<Error*>(autorelease(
      make<Error>(Owned<String>(string(domain)), code, Owned<String>(string(std::move(description))))));
}

void register_foundation_classes() {
  register_string();
  register_error();
  register_pool();
}

}  // namespace metal_emulator
