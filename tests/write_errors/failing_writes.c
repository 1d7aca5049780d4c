/* Fails calls of the C library that change files: loaded with LD_PRELOAD, so that Python, Arrow and SQLite meet the same
 * errors as on a disk that is full or broken.
 *
 * Calls on files below one folder are numbered over all processes that share the settings (failing_disk.py maps the same
 * file). A call whose number is chosen fails with the chosen error; before a failing write, half of its bytes are written.
 * No file is flushed to the disk: whether a flush fails is tested, not the disk.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PATH = 4096, OPEN = 1, WRITE = 2, FLUSH = 4, RESIZE = 8, CLOSE = 16, NAME = 32, FOLDER = 64, REMOVE = 128, REOPEN = 256 };

struct settings {
    int64_t first, last; /* numbers of the calls that fail, from 1 */
    int64_t count;       /* of calls so far */
    int64_t failed;      /* of calls that failed */
    int32_t error;       /* their errno */
    int32_t kinds;       /* that may fail; the others are numbered, and work */
    int32_t but;         /* a process whose calls are not counted; 0: none */
    int32_t list;        /* whether calls are listed, one a line, in the file named below */
    char root[PATH], listed[PATH];
    char hit[2 * PATH]; /* the first call that failed */
};

static struct settings *given;

__attribute__((constructor)) static void map_settings(void) {
    const char *name = getenv("FAILING_WRITES");
    int file = name ? syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *found = mmap(NULL, sizeof *given, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    syscall(SYS_close, file);
    if (found != MAP_FAILED) given = found;
}

static const char *word(int kind) {
    switch (kind) {
    case OPEN: return "open";
    case REOPEN: return "reopen";
    case WRITE: return "write";
    case FLUSH: return "flush";
    case RESIZE: return "resize";
    case CLOSE: return "close";
    case NAME: return "name";
    case FOLDER: return "folder";
    default: return "remove";
    }
}

static int path_of(int file, char *path) {
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t size = readlink(link, path, PATH - 1);
    path[size < 0 ? 0 : size] = 0;
    return size > 0;
}

static void absolute(int folder, const char *name, char *path) {
    char place[PATH] = "";
    if (name[0] != '/' && (folder == AT_FDCWD ? !getcwd(place, PATH) : !path_of(folder, place))) place[0] = 0;
    snprintf(path, PATH, place[0] ? "%.2040s/%.2040s" : "%.0s%.4090s", place, name);
}

/* Number a call on a path; return whether it must fail, with errno set. */
static int fails(int kind, const char *path) {
    size_t size = given ? strlen(given->root) : 0;
    if (!size || getpid() == given->but) return 0;
    if (strncmp(path, given->root, size) || (path[size] != '/' && path[size] != 0)) return 0;
    int64_t number = __atomic_add_fetch(&given->count, 1, __ATOMIC_SEQ_CST);
    char line[2 * PATH];
    int length = snprintf(line, sizeof line, "%s %s\n", word(kind), path);
    if (given->list) {
        int file = syscall(SYS_openat, AT_FDCWD, given->listed, O_WRONLY | O_APPEND | O_CREAT, 0600);
        syscall(SYS_write, file, line, (size_t)length);
        syscall(SYS_close, file);
    }
    if (number < given->first || number > given->last || !(kind & given->kinds)) return 0;
    if (__atomic_add_fetch(&given->failed, 1, __ATOMIC_SEQ_CST) == 1) memcpy(given->hit, line, (size_t)length);
    errno = given->error;
    return 1;
}

static int fails_at(int kind, int folder, const char *name) {
    char path[PATH];
    if (!given || !given->root[0]) return 0;
    absolute(folder, name, path);
    return fails(kind, path);
}

static int fails_for(int kind, int file) {
    char path[PATH];
    int before = errno;
    int found = given && given->root[0] && path_of(file, path);
    errno = before;
    return found && fails(kind, path);
}

static int is_written(int file) {
    int flags = syscall(SYS_fcntl, file, F_GETFL);
    return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
}

static int open_at(int folder, const char *name, int flags, mode_t mode) {
    int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));
    int makes = (flags & __O_TMPFILE) || syscall(SYS_faccessat, folder, name, F_OK);
    if (writes && fails_at(makes ? OPEN : REOPEN, folder, name)) return -1;
    return syscall(SYS_openat, folder, name, flags, mode);
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }

int open(const char *name, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, name, flags, mode); }
int openat(int folder, const char *name, int flags, ...) { MODE(flags) return open_at(folder, name, flags, mode); }
int openat64(int folder, const char *name, int flags, ...) { MODE(flags) return open_at(folder, name, flags, mode); }
int creat(const char *name, mode_t mode) { return open_at(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode); }

int close(int file) {
    int failed = is_written(file) && fails_for(CLOSE, file), error = errno;
    int result = syscall(SYS_close, file); /* the file is closed also where that reports an error */
    if (failed) errno = error;
    return failed ? -1 : result;
}

ssize_t write(int file, const void *bytes, size_t size) {
    if (!fails_for(WRITE, file)) return syscall(SYS_write, file, bytes, size);
    syscall(SYS_write, file, bytes, size / 2);
    errno = given->error;
    return -1;
}

ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t start) {
    if (!fails_for(WRITE, file)) return syscall(SYS_pwrite64, file, bytes, size, start);
    syscall(SYS_pwrite64, file, bytes, size / 2, start);
    errno = given->error;
    return -1;
}
ssize_t pwrite(int file, const void *bytes, size_t size, off_t start) { return pwrite64(file, bytes, size, start); }

ssize_t writev(int file, const struct iovec *parts, int count) {
    return fails_for(WRITE, file) ? -1 : syscall(SYS_writev, file, parts, count);
}
ssize_t sendfile64(int target, int source, off64_t *start, size_t size) {
    return fails_for(WRITE, target) ? -1 : syscall(SYS_sendfile, target, source, start, size);
}
ssize_t sendfile(int target, int source, off_t *start, size_t size) { return sendfile64(target, source, start, size); }

int fsync(int file) { return fails_for(FLUSH, file) ? -1 : 0; }
int fdatasync(int file) { return fails_for(FLUSH, file) ? -1 : 0; }
void sync(void) {}

int ftruncate64(int file, off64_t size) {
    return fails_for(RESIZE, file) ? -1 : syscall(SYS_ftruncate, file, size);
}
int ftruncate(int file, off_t size) { return ftruncate64(file, size); }
int posix_fallocate64(int file, off64_t start, off64_t size) {
    if (fails_for(RESIZE, file)) return given->error; /* it returns its error */
    return syscall(SYS_fallocate, file, 0, start, size) ? errno : 0;
}
int posix_fallocate(int file, off_t start, off_t size) { return posix_fallocate64(file, start, size); }

int renameat2(int from, const char *old, int to, const char *name, unsigned flags) {
    return fails_at(NAME, to, name) ? -1 : syscall(SYS_renameat2, from, old, to, name, flags);
}
int renameat(int from, const char *old, int to, const char *name) { return renameat2(from, old, to, name, 0); }
int rename(const char *old, const char *name) { return renameat2(AT_FDCWD, old, AT_FDCWD, name, 0); }
int linkat(int from, const char *old, int to, const char *name, int flags) {
    return fails_at(NAME, to, name) ? -1 : syscall(SYS_linkat, from, old, to, name, flags);
}
int link(const char *old, const char *name) { return linkat(AT_FDCWD, old, AT_FDCWD, name, 0); }
int symlinkat(const char *target, int folder, const char *name) {
    return fails_at(NAME, folder, name) ? -1 : syscall(SYS_symlinkat, target, folder, name);
}
int symlink(const char *target, const char *name) { return symlinkat(target, AT_FDCWD, name); }

int mkdirat(int folder, const char *name, mode_t mode) {
    return fails_at(FOLDER, folder, name) ? -1 : syscall(SYS_mkdirat, folder, name, mode);
}
int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }

int unlinkat(int folder, const char *name, int flags) {
    return fails_at(REMOVE, folder, name) ? -1 : syscall(SYS_unlinkat, folder, name, flags);
}
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }
