#include "clang_process.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string_view>

#include "objc_runtime.h"

extern char** environ;

namespace metal_emulator {
namespace {

// The library to preload lies beside this one.
std::string preload_library() {
  Dl_info self;
  dladdr(reinterpret_cast<const void*>(&run_clang), &self);
  return (std::filesystem::path(self.dli_fname).parent_path() / "libmetal_emulator_preload.so").string();
}

class Server {
 public:
  static Server& instance() {
    static Server* const server = new Server;
    return *server;
  }

  // The exit status of clang; nothing if it has to be started the ordinary way.
  std::optional<int> run(const std::vector<std::string>& arguments, const std::string& scratch) {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock || !is_ready(arguments[0])) return {};
    std::string request = scratch + '\0';
    for (const std::string& argument : arguments) request += argument + '\0';
    const auto length = static_cast<std::uint32_t>(request.size());
    request.insert(0, reinterpret_cast<const char*>(&length), sizeof length);
    std::int32_t status = -1;
    const bool answered =
        send(socket_, request.data(), request.size(), MSG_NOSIGNAL) == ssize_t(request.size()) &&
        recv(socket_, &status, sizeof status, MSG_WAITALL) == sizeof status;
    if (answered && status >= 0) return status;
    is_broken_ = true;
    return {};
  }

 private:
  // A process that was forked off this one needs a server of its own.
  bool is_ready(const std::string& clang) {
    if (owner_ == getpid()) return !is_broken_;
    const char* setting = std::getenv("METAL_EMULATOR_SERVER");
    const bool unwanted = setting != nullptr && std::strcmp(setting, "0") == 0;
    owner_ = getpid();
    is_broken_ = unwanted || !start(clang);
    return !is_broken_;
  }

  bool start(const std::string& clang) {
    const std::string library = preload_library();
    if (!std::filesystem::exists(library)) return false;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return false;
    const int inherited = fcntl(ends[1], F_DUPFD, 100);  // without the flag to close
    close(ends[1]);
    socket_ = ends[0];

    std::vector<std::string> variables = {"LD_PRELOAD=" + library,
                                          "METAL_EMULATOR_SERVER=" + std::to_string(inherited)};
    std::vector<char*> environment;
    for (char** variable = environ; *variable != nullptr; ++variable) {
      const std::string_view text = *variable;
      if (text.starts_with("LD_PRELOAD=") || text.starts_with("METAL_EMULATOR_SERVER=")) continue;
      environment.push_back(*variable);
    }
    for (std::string& variable : variables) environment.push_back(variable.data());
    environment.push_back(nullptr);
    std::string program = clang;
    char* arguments[] = {program.data(), nullptr};
    pid_t child = 0;
    const bool started =
        posix_spawnp(&child, arguments[0], nullptr, nullptr, arguments, environment.data()) == 0;
    close(inherited);
    return started;
  }

  std::mutex mutex_;
  pid_t owner_ = 0;
  int socket_ = -1;
  bool is_broken_ = false;
};

}  // namespace

Outcome run_clang(const std::vector<std::string>& arguments, const std::string& scratch) {
  const std::optional<int> status = Server::instance().run(arguments, scratch);
  if (!status) return run_program(arguments, scratch);
  Outcome outcome{*status == 0, read_file(scratch)};
  unlink(scratch.c_str());
  return outcome;
}

}  // namespace metal_emulator
