package watch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
)

// informers follows the pods of some namespaces and hands each look at a pod to observe or, for a pod that is gone, to
// forget. These are called one at a time. What is there at the start comes in the order of namespace, workload and
// name.
type informers struct {
	client     dynamic.Interface
	namespaces []string // metav1.NamespaceAll alone for all
	selector   string
	server     string // for messages
	say        func(format string, args ...any)
	ending     *ending

	expect  func(pod) // of what is there at the start, ahead of the first look
	observe func(pod)
	forget  func(namespace, name string)

	// Waiting times between attempts on a lost connection.
	firstDelay, lastDelay time.Duration
	// signInDelay is that between attempts to get credentials, for which the user may be asked each time.
	signInDelay time.Duration
	pause       func(context.Context, time.Duration) bool // the function pause, but in tests

	mu     sync.Mutex
	live   bool   // the initial lists are through
	buffer []look // what came before that
	down   map[string]bool
	// toldToSignIn says that the user knows what it takes to get the connection back.
	toldToSignIn bool
}

// look is a look at a pod, or the news that it is gone.
type look struct {
	pod  pod
	gone bool
}

var podResource = schema.GroupVersionResource{Version: "v1", Resource: "pods"}

// startTime is how long the API server may take for the first answers, for each namespace.
const startTime = 15 * time.Second

// check asks the API server for what the watch needs, so that a missing right, a wrong address or a server that is not
// there is an error now. Later, the same is a connection lost.
func (i *informers) check(ctx context.Context) error {
	for _, ns := range i.namespaces {
		if verb, err := i.try(ctx, ns); err != nil {
			return i.explain(verb, ns, err)
		}
	}
	return nil
}

// try makes the two requests that a watch of a namespace consists of, and says which one failed.
func (i *informers) try(ctx context.Context, namespace string) (verb string, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	pods := i.client.Resource(podResource).Namespace(namespace)
	if _, err := pods.List(ctx, metav1.ListOptions{Limit: 1, LabelSelector: i.selector}); err != nil {
		return "list", err
	}
	second := int64(1)
	w, err := pods.Watch(ctx, metav1.ListOptions{TimeoutSeconds: &second, LabelSelector: i.selector})
	if err != nil {
		return "watch", err
	}
	w.Stop()
	return "", nil
}

// explain says what a failed request means for the user.
func (i *informers) explain(verb, namespace string, err error) error {
	where, or := "in namespace "+namespace, ""
	if namespace == metav1.NamespaceAll {
		where, or = "in all namespaces", ", or name the namespaces with -n"
	}
	switch {
	case apierrors.IsForbidden(err):
		return fmt.Errorf("watching pods %s: no right to %s pods (%w); ask for a role with the verbs list and watch on "+
			"pods%s", where, verb, err, or)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("watching pods %s: %s does not accept the credentials of the kubeconfig: %w", where, i.server, err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("watching pods %s: no answer from %s within %s", where, i.server, startTime)
	default:
		return fmt.Errorf("watching pods %s at %s: %w", where, i.server, withoutURL(err))
	}
}

// withoutURL takes off the long URL, with all its parameters, of the request that went wrong.
func withoutURL(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// run follows the pods until ctx ends. It calls ready once all that is there at the start has been observed.
func (i *informers) run(ctx context.Context, ready func()) error {
	i.down = map[string]bool{}
	var running sync.WaitGroup
	defer func() { i.ending.wait(running.Wait) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	var synced []cache.InformerSynced
	for _, ns := range i.namespaces {
		example := &unstructured.Unstructured{}
		example.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "Pod"})
		lw := cache.ToListWatcherWithWatchListSemantics(i.listWatch(ns), i.client)
		informer := cache.NewSharedInformer(lw, example, 0)
		if err := informer.SetTransform(keepNeeded); err != nil {
			return fmt.Errorf("watching pods: %w", err)
		}
		// listWatch has said already what there is to say.
		if err := informer.SetWatchErrorHandler(func(*cache.Reflector, error) {}); err != nil {
			return fmt.Errorf("watching pods: %w", err)
		}
		handler, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(obj any) { i.see(obj, false) },
			UpdateFunc: func(_, obj any) { i.see(obj, false) },
			DeleteFunc: func(obj any) { i.see(obj, true) },
		})
		if err != nil {
			return fmt.Errorf("watching pods: %w", err)
		}
		synced = append(synced, handler.HasSynced)
		running.Go(func() { informer.RunWithContext(ctx) })
	}
	if !cache.WaitForCacheSync(ctx.Done(), synced...) {
		return nil // ctx has ended
	}
	i.goLive()
	ready()
	<-ctx.Done()
	return nil
}

// goLive hands over what was there at the start.
func (i *informers) goLive() {
	i.mu.Lock()
	defer i.mu.Unlock()
	// Informers hand out the first list in no particular order. Looks at the same pod stay in theirs.
	slices.SortStableFunc(i.buffer, func(a, b look) int {
		return cmp.Or(strings.Compare(a.pod.namespace, b.pod.namespace), strings.Compare(a.pod.owner, b.pod.owner),
			strings.Compare(a.pod.kind, b.pod.kind), strings.Compare(a.pod.name, b.pod.name))
	})
	for _, l := range i.buffer {
		if !l.gone && i.expect != nil {
			i.expect(l.pod)
		}
	}
	for _, l := range i.buffer {
		i.handle(l)
	}
	i.buffer, i.live = nil, true
}

// see takes an informer's notification.
func (i *informers) see(obj any, gone bool) {
	if tombstone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = tombstone.Obj
	}
	stored, ok := obj.(*storedPod)
	if !ok {
		return // not a pod: a tombstone of something that was never stored
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	l := look{stored.pod, gone}
	if !i.live {
		i.buffer = append(i.buffer, l)
		return
	}
	i.handle(l)
}

func (i *informers) handle(l look) {
	if l.gone {
		i.forget(l.pod.namespace, l.pod.name)
		return
	}
	i.observe(l.pod)
}

// listWatch makes the requests for a namespace's pods, again and again while the server cannot be reached. The informer
// would do the same, but does not tell anybody, and waits up to a minute.
func (i *informers) listWatch(namespace string) *cache.ListWatch {
	pods := i.client.Resource(podResource).Namespace(namespace)
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.LabelSelector = i.selector
			var list *unstructured.UnstructuredList
			err := i.persist(ctx, namespace, func() (err error) {
				list, err = pods.List(ctx, options)
				return err
			})
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.LabelSelector = i.selector
			var w watch.Interface
			err := i.persist(ctx, namespace, func() (err error) {
				w, err = pods.Watch(ctx, options)
				return err
			})
			return w, err
		},
	}
}

// persist makes a request until it gets through. Errors that the informer has an answer to (an expired resource
// version) are returned.
func (i *informers) persist(ctx context.Context, namespace string, request func() error) error {
	delay := i.firstDelay
	for refused := false; ; {
		err := request()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			i.up(namespace)
			return nil
		}
		if !connectionLost(err) {
			return err
		}
		wait := delay
		switch {
		case apierrors.IsUnauthorized(err) && !refused:
			// client-go gets new credentials then, but leaves it to us to try them: only the second no is news.
			refused = true
		case apierrors.IsUnauthorized(err), noCredentials(err):
			wait, refused = i.signInDelay, false
			i.lost(namespace, err, true)
		default:
			i.lost(namespace, err, false)
		}
		if !i.pause(ctx, wait) {
			return ctx.Err()
		}
		delay = min(2*delay, i.lastDelay)
	}
}

// connectionLost says whether the server, or the right to use it, is not there for now, rather than that it cannot do
// what was asked.
func connectionLost(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return true // the request did not get an answer
	}
	if apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge) {
		return false // also a timeout; comes up when the server's data are older than what was seen
	}
	return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || apierrors.IsTooManyRequests(err) ||
		status.Status().Code >= 500
}

// lost and up say once that the connection is lost, and once that it is back, whatever the number of namespaces. That
// it takes signing in to get it back is said once, too.
func (i *informers) lost(namespace string, err error, signIn bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	first := len(i.down) == 0
	i.down[namespace] = true
	switch {
	case signIn && !i.toldToSignIn:
		i.toldToSignIn = true
		i.say("%s does not accept our credentials any more: %v; trying again", i.server, withoutURL(err))
	case signIn || !first:
		// said already
	case apierrors.IsForbidden(err):
		i.say("%s does not let us in any more: %v; trying again", i.server, err)
	default:
		i.say("lost the connection to %s: %v; trying again", i.server, withoutURL(err))
	}
}

func (i *informers) up(namespace string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.down[namespace] {
		return
	}
	delete(i.down, namespace)
	if len(i.down) == 0 {
		i.toldToSignIn = false
		i.say("connected to %s again", i.server)
	}
}

// connected says whether there is no word of a lost connection.
func (i *informers) connected() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.down) == 0
}
