package image

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// notFound is an ErrNotFound with something to tell about it.
type notFound struct{ detail string }

func (e *notFound) Error() string {
	if e.detail == "" {
		return ErrNotFound.Error()
	}
	return ErrNotFound.Error() + ": " + e.detail
}

func (e *notFound) Unwrap() error { return ErrNotFound }

// sourceError is an error of a source that says what the source was doing: every error that leaves a source of this
// package but ErrNotFound and those of the context is one.
type sourceError struct {
	doing string // like `reading layout build/oci`
	err   error
}

func (e *sourceError) Error() string { return e.doing + ": " + e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// Chain returns a source that asks the sources in order: the first that has an image wins. ErrNotFound goes on to the
// next source; any other error ends the search, and says which source it came from. A source that is a fmt.Stringer
// is called by its String in errors.
func Chain(sources ...Source) Source { return chain(sources) }

type chain []Source

func (c chain) Config(ctx context.Context, ref name.Reference, platform v1.Platform) (Config, error) {
	var details []string
	for _, s := range c {
		if err := ctx.Err(); err != nil {
			return Config{}, fmt.Errorf("resolving %s: %w", ref, err)
		}
		config, err := s.Config(ctx, ref, platform)
		if err == nil {
			return config, nil
		}
		if !errors.Is(err, ErrNotFound) {
			if se := new(sourceError); !errors.As(err, &se) {
				err = &sourceError{"asking " + sourceName(s), err}
			}
			if len(details) > 0 {
				err = fmt.Errorf("%w; %s", err, strings.Join(details, "; "))
			}
			return Config{}, err
		}
		if nf := new(notFound); errors.As(err, &nf) && nf.detail != "" {
			details = append(details, nf.detail)
		}
	}
	msg := fmt.Sprintf("no source has %s for %s (%s)", ref, normalPlatform(platform), c)
	if len(details) > 0 {
		msg += ": " + strings.Join(details, "; ")
	}
	return Config{}, &notHeld{msg}
}

// notHeld is the ErrNotFound of a whole chain. It reads as a sentence of its own.
type notHeld struct{ msg string }

func (e *notHeld) Error() string { return e.msg }
func (e *notHeld) Unwrap() error { return ErrNotFound }

// String tells what is asked, for people: `asked: images.lock.yaml, layout build/oci; offline`.
func (c chain) String() string {
	const shown = 6
	var names, notes []string
	for _, s := range c {
		switch s := s.(type) {
		case offline:
			notes = append(notes, sourceName(s))
		case *Engine:
			if s.present() {
				names = append(names, sourceName(s))
			}
		default:
			names = append(names, sourceName(s))
		}
	}
	if more := len(names) - shown; more > 1 {
		names = append(names[:shown:shown], fmt.Sprintf("%d more", more))
	}
	asked := "no source is set"
	if len(names) > 0 {
		asked = "asked: " + strings.Join(names, ", ")
	}
	return strings.Join(append([]string{asked}, notes...), "; ")
}

func sourceName(s Source) string {
	if n, ok := s.(fmt.Stringer); ok {
		return n.String()
	}
	return fmt.Sprintf("%T", s)
}

// Offline returns a source that has nothing. It stands in a chain where the registry would be, so that the error for an
// image that no source has says why no registry was asked, and then hint, if there is one.
func Offline(hint string) Source { return offline{hint} }

type offline struct{ hint string }

func (o offline) Config(context.Context, name.Reference, v1.Platform) (Config, error) {
	return Config{}, &notFound{o.hint}
}

func (offline) String() string { return "offline" }
