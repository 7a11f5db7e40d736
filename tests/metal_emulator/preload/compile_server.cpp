// Preloaded into clang. Half of the time that a small kernel takes to compile goes into loading clang itself;
// this does that once: before clang's main, where everything is loaded and initialised, it waits for command
// lines, and each is compiled by a fork of the process as it stands there. See ../clang_process.h for the
// other end.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

using Main = int (*)(int, char**, char**);
Main real_main = nullptr;

bool read_all(int fd, void* target, std::size_t size) {
  auto* at = static_cast<char*>(target);
  while (size > 0) {
    const ssize_t count = read(fd, at, size);
    if (count <= 0) return false;
    at += count;
    size -= static_cast<std::size_t>(count);
  }
  return true;
}

// A request: its length, then the file for messages and the arguments, each with its terminating zero.
[[noreturn]] void compile(std::string& request, int fd, char** environment) {
  close(fd);
  std::vector<char*> words;
  for (std::size_t at = 0; at < request.size(); at += std::strlen(&request[at]) + 1)
    words.push_back(&request[at]);
  const int messages = open(words[0], O_WRONLY | O_CREAT | O_TRUNC, 0600);
  dup2(messages, STDERR_FILENO);
  close(messages);
  words.push_back(nullptr);
  std::exit(real_main(static_cast<int>(words.size()) - 2, words.data() + 1, environment));
}

int serve(int argc, char** argv, char** environment) {
  const char* number = std::getenv("METAL_EMULATOR_SERVER");
  if (number == nullptr) return real_main(argc, argv, environment);
  const int fd = std::atoi(number);
  unsetenv("LD_PRELOAD");
  unsetenv("METAL_EMULATOR_SERVER");
  std::uint32_t length = 0;
  while (read_all(fd, &length, sizeof length)) {
    std::string request(length, '\0');
    if (!read_all(fd, request.data(), length)) break;
    const pid_t child = fork();
    if (child == 0) compile(request, fd, environment);
    int status = -1;
    if (child > 0) waitpid(child, &status, 0);
    const std::int32_t reply = child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (write(fd, &reply, sizeof reply) != sizeof reply) break;
  }
  return 0;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int __libc_start_main(Main main, int argc, char** argv,
                                                                        void (*init)(), void (*fini)(),
                                                                        void (*rtld_fini)(),
                                                                        void* stack_end) {
  using Start = int (*)(Main, int, char**, void (*)(), void (*)(), void (*)(), void*);
  const auto start = reinterpret_cast<Start>(dlsym(RTLD_NEXT, "__libc_start_main"));
  real_main = main;
  return start(serve, argc, argv, init, fini, rtld_fini, stack_end);
}
