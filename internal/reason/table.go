package reason

// The codes, in the order of the documentation.
const (
	Debuggable            Code = "Debuggable"
	AlreadyDebugged       Code = "AlreadyDebugged"
	AlreadyConfigured     Code = "AlreadyConfigured"
	Skipped               Code = "Skipped"
	NoRuntime             Code = "NoRuntime"
	KnownOther            Code = "KnownOther"
	AmbiguousRuntime      Code = "AmbiguousRuntime"
	NotLinux              Code = "NotLinux"
	DeprecatedAPI         Code = "DeprecatedAPI"
	NoImage               Code = "NoImage"
	ImageNotFound         Code = "ImageNotFound"
	ImageUnreadable       Code = "ImageUnreadable"
	InvalidImageConfigs   Code = "InvalidImageConfigs"
	InvalidSettings       Code = "InvalidSettings"
	MatchesNothing        Code = "MatchesNothing"
	InvalidField          Code = "InvalidField"
	BadAnnotation         Code = "BadAnnotation"
	AnnotationRenamed     Code = "AnnotationRenamed"
	UnknownContainer      Code = "UnknownContainer"
	VolumeTaken           Code = "VolumeTaken"
	MountPathTaken        Code = "MountPathTaken"
	InitContainerTaken    Code = "InitContainerTaken"
	NoFreePort            Code = "NoFreePort"
	NoCommand             Code = "NoCommand"
	TooLarge              Code = "TooLarge"
	ProgramNotAPath       Code = "ProgramNotAPath"
	SupportImageOld       Code = "SupportImageOld"
	RuntimeTooOld         Code = "RuntimeTooOld"
	ScriptProgram         Code = "ScriptProgram"
	ProgramDynamic        Code = "ProgramDynamic"
	UnknownText           Code = "UnknownText"
	EnvHidden             Code = "EnvHidden"
	EnvMayHide            Code = "EnvMayHide"
	EnvReferenced         Code = "EnvReferenced"
	EnvShared             Code = "EnvShared"
	EnvNameTaken          Code = "EnvNameTaken"
	OptionalEnv           Code = "OptionalEnv"
	NodeByPath            Code = "NodeByPath"
	OtherDebugger         Code = "OtherDebugger"
	OutlivesProgram       Code = "OutlivesProgram"
	NoDebugInfo           Code = "NoDebugInfo"
	Optimised             Code = "Optimised"
	DelveTooOld           Code = "DelveTooOld"
	ScriptCopied          Code = "ScriptCopied"
	ReplicasKept          Code = "ReplicasKept"
	RolloutHeld           Code = "RolloutHeld"
	BudgetBlocks          Code = "BudgetBlocks"
	TightMemory           Code = "TightMemory"
	MemoryRaised          Code = "MemoryRaised"
	LocalImage            Code = "LocalImage"
	SupportImageMissing   Code = "SupportImageMissing"
	FileCapabilities      Code = "FileCapabilities"
	PortShared            Code = "PortShared"
	AnnotationsFull       Code = "AnnotationsFull"
	TightStorage          Code = "TightStorage"
	PodPatched            Code = "PodPatched"
	OutputRead            Code = "OutputRead"
	WorkerTimeout         Code = "WorkerTimeout"
	LeaderElection        Code = "LeaderElection"
	KnativeFeatures       Code = "KnativeFeatures"
	DebuggerDialsOut      Code = "DebuggerDialsOut"
	ProgramInVariable     Code = "ProgramInVariable"
	TooDeep               Code = "TooDeep"
	LauncherUnknownOption Code = "LauncherUnknownOption"
	LauncherNoCommand     Code = "LauncherNoCommand"
	LauncherImplicit      Code = "LauncherImplicit"
	LauncherNotFollowed   Code = "LauncherNotFollowed"
	LauncherChangesRoot   Code = "LauncherChangesRoot"
	ShellSyntax           Code = "ShellSyntax"
	ShellDialect          Code = "ShellDialect"
	ShellOption           Code = "ShellOption"
	ShellNoScript         Code = "ShellNoScript"
	ShellLoop             Code = "ShellLoop"
	ShellConditional      Code = "ShellConditional"
	ShellBackground       Code = "ShellBackground"
	ShellPipe             Code = "ShellPipe"
	ShellFunction         Code = "ShellFunction"
	ShellBuiltin          Code = "ShellBuiltin"
	ShellNoProgram        Code = "ShellNoProgram"
	ShellEval             Code = "ShellEval"
	ShellAlias            Code = "ShellAlias"
	ShellQuoting          Code = "ShellQuoting"
	WordNeedsQuoting      Code = "WordNeedsQuoting"
	Argv0Fixed            Code = "Argv0Fixed"
	BuildpackMetadata     Code = "BuildpackMetadata"
	BuildpackProcess      Code = "BuildpackProcess"
	BuildpackForm         Code = "BuildpackForm"
)

// Table lists all codes in the order of the documentation.
func Table() []Entry {
	return []Entry{
		{Debuggable, Info, "the container was made debuggable", "attach"},
		{AlreadyDebugged, Info, "its process runs under a debugger already; the port was recorded", "attach"},
		{
			AlreadyConfigured, Info,
			"the pod has the annotation already, from an earlier run or from you: its containers stay as " +
				"they are",
			"nothing",
		},
		{Skipped, Info, "the workload is annotated `debuggable.dev/skip`", "nothing"},
		{
			NoRuntime, Warning,
			"nothing shows what the program is written in",
			"say it, with `runtimes` or `debuggable.dev/runtime`",
		},
		{
			KnownOther, Info,
			"the program is known to belong to no runtime that can be debugged",
			"nothing; under `strict` it is an error where `artifacts` or `debuggable.dev/containers` name " +
				"the container",
		},
		{AmbiguousRuntime, Warning, "several runtimes show equally strong signs", "say which, with `runtime`"},
		{NotLinux, Warning, "the pod runs on another system", "nothing"},
		{
			DeprecatedAPI, Warning,
			"the object's API version is gone from Kubernetes",
			"change it to the one that is named",
		},
		{NoImage, Warning, "the container names no image", "look at the manifest"},
		{ImageNotFound, Warning, "no source has the image", "look at the reference, at the sources and at `offline`"},
		{
			ImageUnreadable, Warning,
			"a source has the image, but its configuration cannot be read",
			"read the message: rights, network, a damaged file",
		},
		{
			InvalidImageConfigs, Error,
			"an ImageConfigs resource among the items cannot be read",
			"correct the field that is named",
		},
		{InvalidSettings, Error, "a setting cannot be used", "correct the field that is named"},
		{
			MatchesNothing, Warning,
			"an entry of `artifacts` or `runtimes` matches no container's image",
			"correct it, or leave it out",
		},
		{
			InvalidField, Warning,
			"a field of the manifest (`apiVersion` and `kind` too) is not what Kubernetes expects there",
			"correct it",
		},
		{
			BadAnnotation, Warning,
			"an annotation's value makes no sense, or nothing knows an annotation of that name",
			"correct it",
		},
		{
			AnnotationRenamed, Warning,
			"an annotation was written out under the name that Kubernetes accepts",
			"rename it",
		},
		{UnknownContainer, Warning, "an annotation names a container that the pod does not have", "correct it"},
		{VolumeTaken, Error, "the pod has another volume of the name that the support files' has", "rename yours"},
		{MountPathTaken, Error, "`/dbg`, or something in it, is in use", "mount yours elsewhere"},
		{InitContainerTaken, Error, "the pod has another init container of that name", "rename yours"},
		{NoFreePort, Warning, "every port from the default on is taken", "free one"},
		{NoCommand, Warning, "neither the image nor the manifest says what to start", "set `command`"},
		{
			TooLarge, Warning,
			"the references (`$(NAME)`) in `env`, `command` and `args` come to more than 6 MiB, which " +
				"Linux starts no process with",
			"refer to less",
		},
		{ProgramNotAPath, Warning, "Delve does not look programs up on `PATH`; or `PATH` has no directory in it",
			"give the path in `command`"},
		{
			SupportImageOld, Warning,
			"the support images that are published for Skaffold cannot start this: Python 3.12 and later, " +
				"Python's own options before the script, `newrelic-admin run-python`, `tsx watch`",
			"[build the current ones](support-images.md) with `make push`, and name them with " +
				"`--support-registry`",
		},
		{RuntimeTooOld, Warning, "the language's version has no debugger of its own", "use a later one"},
		{
			ScriptProgram, Warning,
			"the program is, or may be, a shell script, which a debugger cannot start",
			"give the program that it starts in `command`",
		},
		{ProgramDynamic, Warning, "the program's name is known at run time only", "write it out"},
		{
			UnknownText, Warning,
			"a value from a Secret or the like becomes part of the command line",
			"write it out, or name the variable in quotes",
		},
		{
			EnvHidden, Warning,
			"a variable would not reach the program, because something between sets it",
			"set it there",
		},
		{
			EnvMayHide, Warning,
			"an added variable hides one of a ConfigMap or Secret that is not among the manifests, if it " +
				"has one",
			"add the ConfigMap to the manifests",
		},
		{EnvReferenced, Warning, "something refers to a variable that would have to change", "write the value out"},
		{
			EnvShared, Warning,
			"a probe, a hook, the script, a build tool (Maven, Gradle) or a process manager (supervisord, " +
				"pm2) starts, or may start, the same runtime once more, which would take the port or, " +
				"suspended, wait",
			"use another kind of probe; start the application directly",
		},
		{EnvNameTaken, Warning, "the container has a variable `DEBUGGABLE_…` of that name", "rename yours"},
		{OptionalEnv, Warning, "a variable comes from an optional key, so it cannot be extended", "set it literally"},
		{
			NodeByPath, Warning,
			"`node` is called by its path, with a tool that starts the application, such as Yarn, or " +
				"buildpacks put their own first on PATH: the tool would be inspected instead",
			"call `node`, or the tool, by its name",
		},
		{
			OtherDebugger, Warning,
			"another program of the script is started with `--inspect`",
			"leave that to `debuggable`, or start one program",
		},
		{
			OutlivesProgram, Warning,
			"Delve stays when the program ends: a job or an init container, which would never complete, " +
				"is left alone; any other container is not restarted when it crashes",
			"use support images built from this project",
		},
		{
			NoDebugInfo, Warning,
			"the program was built with `-s` or `-w`, without debug information: it runs under Delve, but breakpoints cannot " +
				"work",
			"build it without them for debugging",
		},
		{
			Optimised, Info,
			"the Go program was built with optimisations: some variables and lines are out of reach",
			"nothing, or build it with `-gcflags=\"all=-N -l\"` for debugging",
		},
		{
			DelveTooOld, Warning,
			"a Go program without debug information that Delve before 1.26 does not start, and the support image's labels " +
				"name no newer one",
			"build it without `-s` and `-w`, or use support images built from this project",
		},
		{
			ScriptCopied, Info,
			"`command` holds a changed copy of a script of the image, since the debugger has to be put into it; the message " +
				"names the image's digest",
			"run `debuggable` again when the image changes",
		},
		{
			ReplicasKept, Warning,
			"the number of replicas stays, because fewer would delete volume claims, or leave only pods " +
				"that keep the old template",
			"scale it yourself, if that does no harm",
		},
		{
			RolloutHeld, Warning,
			"pods that run already do not get the debugger by themselves: the workload is paused, " +
				"`OnDelete`, or has a `partition`",
			"delete the pod, or change that field",
		},
		{
			BudgetBlocks, Warning,
			"a PodDisruptionBudget lets no pod go once there is one replica",
			"do not drain nodes meanwhile, or set `replicas: 0`",
		},
		{
			TightMemory, Warning,
			"the container's memory limit cannot hold the debugger, and may not be raised (`memory: " +
				"keep`, a LimitRange, a ResourceQuota)",
			"raise the limit for the time",
		},
		{
			MemoryRaised, Info,
			"the container's memory limit was raised by what the debugger may need; requests stay",
			"nothing; `memory: keep` leaves limits alone",
		},
		{
			LocalImage, Info,
			"the image's configuration is that of the container engine on this machine: no registry hands the image out, " +
				"or `engine: first` asks the engine ahead of them",
			"see to it that the cluster gets that image: one of the same name in a registry may be another; `engine: never` " +
				"asks no engine",
		},
		{
			SupportImageMissing, Warning,
			"the registry does not have the support image, so the pod would never start",
			"`make push`, or correct `supportRegistry`, `supportTag` or `supportImages`",
		},
		{
			FileCapabilities, Warning,
			"a Go program that does not run as root gets capabilities that the container adds from its " +
				"file, and loses them under a debugger",
			"debug another container, or run as root for the time",
		},
		{
			PortShared, Warning,
			"two containers of a pod have debuggers on one port already",
			"give one of them another port",
		},
		{AnnotationsFull, Error, "the pod's annotations would be more than Kubernetes takes", "shorten them"},
		{
			TightStorage, Warning,
			"the support files count towards the limits of `ephemeral-storage`, and may be too much for " +
				"the pod's",
			"raise the limit for the time",
		},
		{
			PodPatched, Warning,
			"the pod will be another one than the manifest says: `podSpecPatch`, `templateDefaults`",
			"write what they say into the template",
		},
		{
			OutputRead, Warning,
			"a workflow reads, or may read, what the container writes (`outputs.result`), and the debugger announces itself " +
				"there",
			"debug another container",
		},
		{
			WorkerTimeout, Warning,
			"a server (gunicorn, Unicorn) ends workers that do not answer for a while, as at a breakpoint",
			"raise the server's timeout for the time, or switch it off",
		},
		{
			LeaderElection, Warning,
			"the program takes part in the election of a leader (`--leader-elect` and its like), and a breakpoint of some 10 " +
				"s loses the lease",
			"switch the election off for the time: there is one replica",
		},
		{
			KnativeFeatures, Warning,
			"Knative admits init containers and volumes only where it is told to",
			"enable the two features that the message names",
		},
		{
			DebuggerDialsOut, Warning,
			"the process's debug agent connects to a debugger by itself",
			"attach the way it was meant",
		},
		{ProgramInVariable, Warning, "the program is given through a variable", "write it in `command`"},
		{
			TooDeep, Warning,
			"more shells and launchers, one in another, than are followed; or a script that is nested " +
				"deeper, or whose words come to more, than is looked at",
			"start the program more directly",
		},
		{
			LauncherUnknownOption, Warning,
			"a launcher (`tini`, `env`, `gosu`, …) has an option that is not known, or is used in a way " +
				"that is not understood",
			"start the program more directly",
		},
		{LauncherNoCommand, Warning, "a launcher has no command to run", "start the program more directly"},
		{
			LauncherImplicit, Warning,
			"a launcher picks the program itself (`uv run app.py`), or changes what it gets",
			"start the program more directly",
		},
		{
			LauncherNotFollowed, Warning,
			"a launcher is not followed: `sudo`, `strace`, or one that is not known",
			"start the program more directly",
		},
		{
			LauncherChangesRoot, Warning,
			"a launcher (`chroot`) gives the program another file system",
			"start the program more directly",
		},
		{ShellSyntax, Warning, "the script cannot be read for certain", "simplify it"},
		{
			ShellDialect, Warning,
			"dash and bash, either of which `sh` may be, read the script differently",
			"simplify it",
		},
		{
			ShellOption, Warning,
			"the shell has an option that is not known, or that changes what the script means",
			"simplify it",
		},
		{ShellNoScript, Warning, "a shell that reads standard input", "simplify it"},
		{ShellLoop, Warning, "the program runs in a loop", "end the script with `exec PROGRAM`"},
		{
			ShellConditional, Warning,
			"which program runs depends on a condition",
			"end the script with `exec PROGRAM`",
		},
		{
			ShellBackground, Warning,
			"the script's last command runs in the background",
			"end the script with `exec PROGRAM`",
		},
		{
			ShellPipe, Warning,
			"the script ends with a pipeline of several programs",
			"end the script with `exec PROGRAM`",
		},
		{ShellFunction, Warning, "the script ends with a function of its own", "end the script with `exec PROGRAM`"},
		{
			ShellBuiltin, Warning,
			"the script ends with a command of the shell itself",
			"end the script with `exec PROGRAM`",
		},
		{ShellNoProgram, Warning, "the script starts nothing", "end the script with `exec PROGRAM`"},
		{
			ShellEval, Warning,
			"the script ends with `eval` or `source`, whose text is not known",
			"end the script with `exec PROGRAM`",
		},
		{ShellAlias, Warning, "aliases change what words mean", "end the script with `exec PROGRAM`"},
		{
			ShellQuoting, Warning,
			"the debugger's words cannot be put there without changing the script's quotes",
			"use plain words there",
		},
		{WordNeedsQuoting, Warning, "the debugger needs a word that is not plain there", "use plain words there"},
		{
			Argv0Fixed, Warning,
			"`exec -a` gives the program another name, which the debugger would get",
			"use plain words there",
		},
		{
			BuildpackMetadata, Warning,
			"the image's buildpack label is missing, or does not tell the process",
			"set `command` to the launcher and the process's words",
		},
		{
			BuildpackProcess, Warning,
			"the image has no such buildpack process, or which one it starts is not known",
			"set `command` to the launcher and the process's words",
		},
		{
			BuildpackForm, Warning,
			"the buildpack process cannot be written as a command line",
			"set `command` to the launcher and the process's words",
		},
	}
}
