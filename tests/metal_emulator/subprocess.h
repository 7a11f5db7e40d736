// Running a program to its end.
#pragma once

#include <string>
#include <vector>

namespace metal_emulator {

struct Outcome {
  bool succeeded;
  std::string messages;  // what it wrote to stderr
};
// With its standard output going to `output`, if given. `scratch` is a file for its messages.
Outcome run_program(const std::vector<std::string>& arguments, const std::string& scratch,
                    const std::string& output = "");

std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& content);

}  // namespace metal_emulator
