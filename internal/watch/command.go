package watch

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/dynamic"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // the sign-in methods that kubeconfigs may name
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/klog/v2"

	"debuggable.dev/debuggable/internal/debuginfo"
	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/terminal"
	"debuggable.dev/debuggable/internal/usage"
)

// Options say what to watch and how to tell.
type Options struct {
	Namespaces    []string // none: that of the context
	AllNamespaces bool
	Selector      string // of labels
	Context       string // of the kubeconfig; none: its current one
	Kubeconfig    string // a file; none: $KUBECONFIG, ~/.kube/config, or the pod's own account
	Output        string // text or json; none: text on a terminal, else json
	Listen        string // an address; :PORT is loopback only
	Serve         bool   // serve events and state over HTTP on Listen, be that an empty one
	PortForward   bool   // forward each debug port to a local one
	Once          bool   // print what runs now, and end

	// Look is called with what runs, once that is known and at each change, from one goroutine; nil: nobody looks on. An
	// error ends the watch.
	Look func([]debuginfo.Running) error
	// Forward says which containers' ports are forwarded with PortForward; nil: all.
	Forward func(debuginfo.Running) bool
}

// Run writes events to out and all else to errw, until ctx ends, which is no error, or until it cannot go on.
func (o Options) Run(ctx context.Context, out, errw io.Writer) error {
	// client-go's own log lines would be mixed up with ours, and say the same less clearly.
	klog.SetLogger(logr.Discard())

	if !slices.Contains([]string{"", "text", "json"}, o.Output) {
		return usage.Errorf("unknown output %q: want text or json", o.Output)
	}
	if o.AllNamespaces && len(o.Namespaces) > 0 {
		return usage.Errorf("--all-namespaces leaves nothing for --namespace to choose: want one of them")
	}
	if o.Once && (o.Serve || o.PortForward) {
		return usage.Errorf("--once ends at once: want it without --listen and --port-forward")
	}
	if _, err := labels.Parse(o.Selector); err != nil {
		return fmt.Errorf("reading selector %q: %w", o.Selector, err)
	}
	config, namespaces, err := o.cluster()
	if err != nil {
		return err
	}
	secrets, address := new(foreign.Secrets), withoutUser(config.Host)
	secrets.Add(config.BearerToken, config.Password)
	if user := config.Host[:max(strings.LastIndex(config.Host, "@"), 0)]; user != "" {
		secrets.Add(user[strings.LastIndexAny(user, "/:")+1:])
	}
	config.Wrap(func(rt http.RoundTripper) http.RoundTripper { return listener{rt, secrets} })
	if err := o.watch(ctx, out, errw, config, namespaces, address, secrets); err != nil {
		return shown{err, foreign.Message(err.Error(), secrets)}
	}
	return nil
}

// shown is an error in words that may be shown: a server's texts may be of any length and repeat what was sent to it.
type shown struct {
	error
	text string
}

func (s shown) Error() string { return s.text }
func (s shown) Unwrap() error { return s.error }

// watch is Run once it is known which cluster to watch. address is its address for messages.
func (o Options) watch(
	ctx context.Context, out, errw io.Writer, config *rest.Config, namespaces []string, address string,
	secrets *foreign.Secrets,
) error {
	watchConfig := rest.CopyConfig(config)
	watchConfig.Wrap(newOutspoken)
	client, err := dynamic.NewForConfig(watchConfig)
	if err != nil {
		return fmt.Errorf("connecting to %s: %w", address, err)
	}

	ending := new(ending)
	stderr := newPrinter(errw)
	stderr.secrets, stderr.ending = secrets, ending
	stderr.dropped = []byte("debuggable watch: nobody read this for long: some of it was left out\n")
	defer stderr.start(func(error) {})() // nothing can be done about a stderr that is gone
	hub := newHub()
	told := ctx // ends when the user wants the program to
	ctx, cancel := context.WithCancelCause(told)
	defer cancel(nil)

	source := &informers{
		client: client, namespaces: namespaces, selector: o.Selector, server: address, say: stderr.say, ending: ending,
		firstDelay: 500 * time.Millisecond, lastDelay: 5 * time.Second, signInDelay: 10 * time.Second, pause: pause,
	}
	if err = signIn(ctx, config); err == nil {
		err = source.check(ctx)
	}
	if err != nil {
		if told.Err() != nil {
			return nil
		}
		return err
	}

	format, people := o.format(out)
	stdout := newPrinter(out)
	stdout.ending, stdout.dropped = ending, missedEvents()
	if people {
		stdout.dropped = []byte("(nobody read this for long: some events were left out)\n")
	}
	hub.also = func(r record) { stdout.add(format(r)) }

	served, err := o.startServer(ctx, hub, ending, stderr.say, cancel)
	if err != nil {
		return err
	}

	changes := changes{hub: hub, say: stderr.say, runs: map[runKey]runID{}, forward: o.Forward}
	if o.PortForward {
		if changes.forwarder, err = source.forwarder(config, hub); err != nil {
			return err
		}
	}
	source.expect = changes.expect
	source.observe = func(p pod) { changes.observe(ctx, p) }
	source.forget = func(namespace, name string) { changes.forget(ctx, namespace, name) }

	finish := stdout.start(func(err error) { cancel(fmt.Errorf("writing events: %w", err)) })
	if people && !o.Once {
		stderr.say("watching %s at %s for debuggable containers; Ctrl-C ends", describeNamespaces(namespaces), address)
	}
	var looking sync.WaitGroup
	var lookErr error
	err = source.run(ctx, func() {
		if o.Look != nil {
			looking.Go(func() {
				if lookErr = o.look(ctx, hub); lookErr != nil {
					cancel(lookErr)
				}
			})
		}
		if people && len(hub.state().DebuggingContainers) == 0 {
			stderr.say("none is running%s", map[bool]string{true: "", false: " yet"}[o.Once])
		}
		if o.Once {
			looking.Wait()
			cancel(nil)
		}
	})
	if err == nil && told.Err() == nil && !o.Once {
		err = context.Cause(ctx) // stdout, the HTTP server, or who looks on
	}

	cancel(nil)
	looking.Wait()
	if err == nil {
		err = lookErr
	}
	changes.forwarder.wait()
	finish()
	<-served
	return err
}

// forwarder forwards ports to the pods that are watched.
func (i *informers) forwarder(config *rest.Config, hub *hub) (*forwarder, error) {
	dial, err := podDialer(config)
	if err != nil {
		return nil, err
	}
	f := newForwarder(hub, i.say, dial)
	f.connected, f.ending = i.connected, i.ending
	return f, nil
}

// startServer serves what the hub hears of, where that is wanted, until ctx ends; then served is closed. stop is told
// why it ended before that.
func (o Options) startServer(
	ctx context.Context, hub *hub, ending *ending, say func(string, ...any), stop func(error),
) (served chan struct{}, err error) {
	served = make(chan struct{})
	if !o.Serve {
		close(served)
		return served, nil
	}
	l, host, err := listen(ctx, o.Listen)
	if err != nil {
		return nil, err
	}
	s := &server{hub: hub, host: host, ending: ending, readTime: 10 * time.Second, writeTime: 30 * time.Second}
	go func() {
		defer close(served)
		stop(s.serve(ctx, l))
	}()
	say("serving http://%s/v1/events and /v1/state", l.Addr())
	return served, nil
}

// look tells who looks on of what runs, until ctx ends or, once, with Once.
func (o Options) look(ctx context.Context, hub *hub) error {
	for {
		running, moved := hub.running()
		if err := o.Look(running); err != nil || o.Once {
			return err
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return nil
		}
	}
}

// withoutUser returns a server's address without the user and the password that a kubeconfig may have in it.
func withoutUser(host string) string {
	u, err := url.Parse(host)
	if err != nil || u.User == nil {
		return host[strings.LastIndex(host, "@")+1:]
	}
	u.User = nil
	return u.String()
}

// cluster reads the kubeconfig: how to connect, and which namespaces to watch.
func (o Options) cluster() (*rest.Config, []string, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.Kubeconfig
	rules.WarnIfAllMissing = false
	loaded := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules,
		&clientcmd.ConfigOverrides{CurrentContext: o.Context})
	raw, err := loaded.RawConfig()
	if err == nil {
		err = o.checkContext(raw)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	config, err := loaded.ClientConfig()
	switch {
	case clientcmd.IsEmptyConfig(err) && !clientcmdapi.IsConfigEmpty(&raw):
		return nil, nil, fmt.Errorf("reading the kubeconfig: it has no current context: choose one with --context; %s",
			knownContexts(raw))
	case clientcmd.IsEmptyConfig(err):
		return nil, nil, fmt.Errorf("reading the kubeconfig: none found in %s, and this is no pod of a cluster: name one "+
			"with --kubeconfig or $KUBECONFIG",
			strings.Join(rules.GetLoadingPrecedence(), ", "))
	case err != nil:
		return nil, nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	config.UserAgent = "debuggable-watch"
	config.WarningHandlerWithContext = rest.NoWarnings{}
	// A request or two a namespace, and again after a lost connection: nothing that has to be slowed down.
	config.QPS = -1

	namespaces := slices.Compact(slices.Sorted(slices.Values(o.Namespaces)))
	for _, ns := range namespaces {
		if problems := validation.IsDNS1123Label(ns); len(problems) > 0 {
			return nil, nil, fmt.Errorf("namespace %q is not a name that a namespace can have: %s", ns,
				strings.Join(problems, "; "))
		}
	}
	switch {
	case o.AllNamespaces:
		namespaces = []string{metav1.NamespaceAll}
	case len(namespaces) == 0:
		ns, _, err := loaded.Namespace()
		if err != nil {
			return nil, nil, fmt.Errorf("reading the namespace of the kubeconfig's context: %w", err)
		}
		namespaces = []string{ns}
	}
	return config, namespaces, nil
}

// checkContext says what is missing for the context to lead to a cluster. client-go takes a kubeconfig that leads
// nowhere for an empty one.
func (o Options) checkContext(config clientcmdapi.Config) error {
	name := cmp.Or(o.Context, config.CurrentContext)
	named := config.Contexts[name]
	switch {
	case name == "":
		return nil // in a pod none is needed
	case named == nil:
		return fmt.Errorf("it has no context %q; %s", name, knownContexts(config))
	case config.Clusters[named.Cluster] == nil:
		return fmt.Errorf("its context %q is of a cluster %q that it does not have", name, named.Cluster)
	case named.AuthInfo != "" && config.AuthInfos[named.AuthInfo] == nil:
		return fmt.Errorf("its context %q is of a user %q that it does not have", name, named.AuthInfo)
	}
	return nil
}

func knownContexts(config clientcmdapi.Config) string {
	if len(config.Contexts) == 0 {
		return "it has none at all"
	}
	return "it has " + strings.Join(slices.Sorted(maps.Keys(config.Contexts)), ", ")
}

func describeNamespaces(namespaces []string) string {
	switch {
	case namespaces[0] == metav1.NamespaceAll:
		return "all namespaces"
	case len(namespaces) == 1:
		return "namespace " + namespaces[0]
	default:
		return "namespaces " + strings.Join(namespaces, ", ")
	}
}

// format returns how events are written to stdout, and whether that is for people.
func (o Options) format(out io.Writer) (_ func(record) []byte, people bool) {
	if o.Output == "json" || o.Output == "" && !terminal.Is(out) {
		return func(r record) []byte { return r.json }, false
	}
	kubectl := []string{"kubectl"}
	if o.Kubeconfig != "" {
		kubectl = append(kubectl, "--kubeconfig", o.Kubeconfig)
	}
	if o.Context != "" {
		kubectl = append(kubectl, "--context", o.Context)
	}
	t := &text{
		painter:  terminal.PainterFor(out),
		location: time.Local,
		kubectl:  kubectl,
		forwards: o.PortForward,
	}
	return t.format, true
}

// changes applies the tracker's changes to the hub and to the forwarder.
type changes struct {
	tracker   tracker
	hub       *hub
	forwarder *forwarder // nil without --port-forward
	say       func(format string, args ...any)
	runs      map[runKey]runID
	forward   func(debuginfo.Running) bool // nil: all
}

type runKey struct {
	uid, name, id string
	restartCount  int32
}

func keyOf(c container) runKey { return runKey{c.uid, c.name, c.id, c.restartCount} }

// expect takes note of the debug ports of a pod that is there, so that forwards get the numbers that package ide
// expects whatever the order in which containers start.
func (c *changes) expect(p pod) {
	entries, err := debuginfo.Decode(p.annotation)
	if c.forwarder == nil || !p.annotated || err != nil {
		return // what is wrong with it is said at the first look
	}
	for _, e := range entries {
		c.forwarder.expect(e.Ports)
	}
}

func (c *changes) observe(ctx context.Context, p pod) {
	changes, err := c.tracker.observe(p)
	if err != nil {
		c.say("pod %s/%s: %v; until that is mended, nothing that starts in it is reported", p.namespace, p.name, err)
	}
	c.apply(ctx, changes)
	for _, altered := range c.tracker.altered(p) {
		c.hub.alter(c.runs[keyOf(altered)], altered.condition)
	}
}

func (c *changes) forget(ctx context.Context, namespace, name string) {
	c.apply(ctx, c.tracker.forget(namespace, name))
}

func (c *changes) apply(ctx context.Context, changes []change) {
	for _, ch := range changes {
		key := keyOf(ch.container)
		if ch.started {
			id := c.hub.publishStarted(ch.container)
			c.runs[key] = id
			if c.forwarder != nil && (c.forward == nil || c.forward(ch.container.running())) {
				c.forwarder.start(ctx, id, ch.container)
			}
			continue
		}
		id := c.runs[key]
		delete(c.runs, key)
		if c.forwarder != nil {
			c.forwarder.stop(id, ch.container.deleting)
		}
		c.hub.publishTerminated(id)
	}
}
