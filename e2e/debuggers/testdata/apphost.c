/* Starts NAME.dll beside it with hostfxr, as the program does that .NET's SDK makes for an application. FXR is that
   library, ROOT the folder of the runtime. */
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, const char **argv) {
  char self[PATH_MAX] = {0}, dll[PATH_MAX + 4];
  if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) {
    return 1;
  }
  snprintf(dll, sizeof dll, "%s.dll", self);
  void *library = dlopen(FXR, RTLD_NOW);
  if (!library) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  int (*run)(int, const char **, const char *, const char *, const char *) =
      dlsym(library, "hostfxr_main_startupinfo");
  if (!run) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  return run(argc, argv, self, ROOT, dll);
}
