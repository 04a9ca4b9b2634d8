// Command app ends, or does not, as its argument says.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	stop := make(chan os.Signal, 1)
	switch os.Args[1] {
	case "success":
		fmt.Println("done")
	case "seven-at-once":
		os.Exit(7)
	case "seven":
		time.Sleep(time.Second)
		os.Exit(7)
	case "panic":
		panic("on purpose")
	case "fatal":
		select {} // nothing can wake it: a fatal error of the runtime
	case "killed":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "panic-when-told":
		signal.Notify(stop, syscall.SIGUSR1)
		<-stop
		panic("on purpose")
	case "graceful":
		signal.Notify(stop, syscall.SIGTERM)
		go count()
		<-stop
		time.Sleep(500 * time.Millisecond)
		os.Exit(5)
	case "signals":
		signal.Notify(stop, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH)
		for range 4 {
			fmt.Println("got", <-stop)
		}
	case "hangup":
		time.Sleep(time.Minute)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		count()
	case "count":
		count()
	}
}

func count() {
	for n := 1; ; n++ {
		step(n)
		time.Sleep(5 * time.Millisecond)
	}
}

func step(n int) {
	seen = n // BREAKPOINT
}

var seen int
