package sandbox

// wasiModule is the only module from which a module may import.
const wasiModule = "wasi_snapshot_preview1"

// Classes of imports: what a function is for, whether or not it is granted.
const (
	ClassStdio   = "stdio"
	ClassArgs    = "args"
	ClassClock   = "clock"
	ClassRandom  = "random"
	ClassFS      = "fs"
	ClassNet     = "net"
	ClassProcess = "process"
	ClassPoll    = "poll"
	ClassOther   = "other"
)

// wasiClasses holds every function of WASI preview 1 with its class. Reading,
// writing, closing and asking about a descriptor are stdio: a function that
// opens nothing has only those three. See the specification's snapshot 01.
var wasiClasses = map[string]string{
	"args_get": ClassArgs, "args_sizes_get": ClassArgs, "environ_get": ClassArgs, "environ_sizes_get": ClassArgs,
	"clock_res_get": ClassClock, "clock_time_get": ClassClock,
	"random_get": ClassRandom,
	"fd_close":   ClassStdio, "fd_fdstat_get": ClassStdio, "fd_fdstat_set_flags": ClassStdio, "fd_read": ClassStdio,
	"fd_seek": ClassStdio, "fd_tell": ClassStdio, "fd_write": ClassStdio,
	"fd_advise": ClassFS, "fd_allocate": ClassFS, "fd_datasync": ClassFS, "fd_fdstat_set_rights": ClassFS,
	"fd_filestat_get": ClassFS, "fd_filestat_set_size": ClassFS, "fd_filestat_set_times": ClassFS,
	"fd_pread": ClassFS, "fd_prestat_dir_name": ClassFS, "fd_prestat_get": ClassFS, "fd_pwrite": ClassFS,
	"fd_readdir": ClassFS, "fd_renumber": ClassFS, "fd_sync": ClassFS,
	"path_create_directory": ClassFS, "path_filestat_get": ClassFS, "path_filestat_set_times": ClassFS,
	"path_link": ClassFS, "path_open": ClassFS, "path_readlink": ClassFS, "path_remove_directory": ClassFS,
	"path_rename": ClassFS, "path_symlink": ClassFS, "path_unlink_file": ClassFS,
	"poll_oneoff": ClassPoll,
	"proc_exit":   ClassProcess, "proc_raise": ClassProcess, "sched_yield": ClassProcess,
	"sock_accept": ClassNet, "sock_recv": ClassNet, "sock_send": ClassNet, "sock_shutdown": ClassNet,
}

// importClass gives an import's class.
func importClass(module, name, kind string) string {
	if class, ok := wasiClasses[name]; ok && module == wasiModule && kind == "func" {
		return class
	}
	return ClassOther
}
