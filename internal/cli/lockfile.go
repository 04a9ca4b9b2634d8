package cli

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"debuggable.dev/debuggable/internal/atomicfile"
	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/image"
)

// locked is what a lock file has to hold, as far as it could be found out.
type locked struct {
	entries []image.Entry
	errs    []error         // of the images that could not be resolved
	unknown map[string]bool // those images by their full names, support images too
	// unpinned are the support images that could not be resolved. One that cannot be asked is taken for an ordinary one,
	// and no error.
	unpinned []image.Want
}

// newLocked sorts out what was resolved.
func newLocked(wants, support []image.Want, resolved map[image.Want]image.Result) locked {
	l := locked{unknown: map[string]bool{}}
	for _, want := range wants {
		if r := resolved[want]; r.Err == nil {
			l.entries = append(l.entries, entry(want, r.Config))
		} else {
			l.errs = append(l.errs, r.Err)
			l.unknown[fullName(want.Image)] = true
		}
	}
	for _, want := range support {
		r := resolved[want]
		if r.Err != nil {
			l.unpinned = append(l.unpinned, want)
			l.unknown[fullName(want.Image)] = true
			continue
		}
		e := entry(want, r.Config)
		if pin := cmp.Or(r.Config.Root, r.Config.Pin); pin.Hex != "" {
			e.Pin = pin.String()
		}
		l.entries = append(l.entries, e)
	}
	return l
}

// complain says what could not be resolved; offline, support images are not expected to be.
func (l locked) complain(errw io.Writer, offline bool) {
	for _, err := range l.errs {
		complain(errw, err)
	}
	for _, want := range l.unpinned {
		if !offline {
			fmt.Fprintf(errw, "note     support image %s could not be resolved, so it is not pinned\n",
				foreign.Short(want.Image))
		}
	}
}

// fullName is the one name of an image that may be written in several ways.
func fullName(ref string) string {
	parsed, err := image.ParseReference(ref)
	if err != nil {
		return ref
	}
	return parsed.Name()
}

// entryKey is what an entry is about.
type entryKey struct{ name, platform string }

func keyOf(e image.Entry) entryKey { return entryKey{fullName(e.Image), e.Platform} }

// difference is what is to be said about one entry of a lock file.
type difference struct {
	image, what string
}

// compare lists how the entries of a file differ from those that it has to hold. The order does not count, and neither
// do entries of images that could not be resolved this time.
func (l locked) compare(old []image.Entry) ([]difference, error) {
	platforms := l.platforms()
	old = withPlatforms(old, platforms)
	called := func(e image.Entry) string {
		if len(platforms[fullName(e.Image)]) > 1 && e.Platform != "" {
			return e.Image + " for " + e.Platform
		}
		return e.Image
	}
	had := map[entryKey]image.Entry{}
	var differences []difference
	for _, e := range old {
		before, twice := had[keyOf(e)]
		if same, err := sameEntry(before, e); err != nil {
			return nil, err
		} else if twice && !same {
			differences = append(differences, difference{called(e), "is superfluous: another one differs"})
		}
		had[keyOf(e)] = e
	}
	has := map[entryKey]bool{}
	for _, e := range l.entries {
		key := keyOf(e)
		before, found := had[key]
		if has[key] {
			continue
		}
		has[key] = true
		same, err := sameEntry(before, e)
		switch {
		case err != nil:
			return nil, err
		case !found:
			differences = append(differences, difference{called(e), "is missing"})
		case before.Digest != e.Digest:
			what := fmt.Sprintf("is different: digest %s, now %s", orNone(before.Digest), orNone(e.Digest))
			differences = append(differences, difference{called(e), what})
		case !same:
			differences = append(differences, difference{called(e), "is different: its configuration changed"})
		}
	}
	for _, e := range old {
		if key := keyOf(e); !has[key] && !l.unknown[key.name] {
			differences = append(differences, difference{called(e), "is superfluous"})
		}
	}
	return differences, nil
}

// platforms lists the platforms of each image by its full name.
func (l locked) platforms() map[string][]string {
	platforms := map[string][]string{}
	for _, e := range l.entries {
		if name := fullName(e.Image); !slices.Contains(platforms[name], e.Platform) {
			platforms[name] = append(platforms[name], e.Platform)
		}
	}
	return platforms
}

// withPlatforms returns the entries of a file with the platform in those that are written without one, as people write
// them: that of the only entry that there has to be for the image.
func withPlatforms(old []image.Entry, platforms map[string][]string) []image.Entry {
	old = slices.Clone(old)
	for i, e := range old {
		if known := platforms[fullName(e.Image)]; e.Platform == "" && len(known) == 1 {
			old[i].Platform = known[0]
		}
	}
	return old
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// sameEntry reports whether two entries say the same, whatever they call the image.
func sameEntry(a, b image.Entry) (bool, error) {
	a.Image = b.Image
	one, err := image.MarshalImageConfigs("one", []image.Entry{a})
	if err != nil {
		return false, err
	}
	other, err := image.MarshalImageConfigs("one", []image.Entry{b})
	return bytes.Equal(one, other), err
}

// check says how a file differs from what it has to hold.
func (l locked) check(file string, errw io.Writer) error {
	old, err := readLock(file)
	if err != nil {
		return err
	}
	differences, err := l.compare(old)
	if err != nil {
		return err
	}
	for _, d := range differences {
		complain(errw, fmt.Errorf("%s: the entry of %s %s", file, d.image, d.what))
	}
	if len(differences) > 0 {
		return errReported
	}
	return nil
}

// update brings a file up to date. Entries of images that could not be resolved stay; where nothing changed, the file
// is not touched.
func (l locked) update(file string, errw io.Writer) error {
	old, err := readLock(file)
	exists := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	differences, err := l.compare(old)
	if err != nil {
		return err
	}
	has := map[entryKey]bool{}
	for _, e := range l.entries {
		has[keyOf(e)] = true
	}
	for _, e := range old {
		if key := keyOf(e); l.unknown[key.name] && !has[key] {
			fmt.Fprintf(errw, "note     %s keeps its entry of %s, which could not be resolved\n", file, e.Image)
			l.entries = append(l.entries, e)
		}
	}
	if exists && len(differences) == 0 {
		return nil
	}
	if len(l.entries) == 0 && len(l.errs) > 0 {
		fmt.Fprintln(errw, "debuggable: nothing was written, because of the errors above")
		return errReported
	}
	var b bytes.Buffer
	if err := l.write(&b); err != nil {
		return err
	}
	return atomicfile.Replace(file, b.Bytes())
}

func (l locked) write(w io.Writer) error {
	data, err := image.MarshalImageConfigs("image-configs", l.entries)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

func readLock(file string) ([]image.Entry, error) {
	data, err := readConfigs(file)
	if err != nil {
		return nil, fmt.Errorf("reading image configurations: %w", err)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, nil // such as what a failed command with > left behind
	}
	return image.ParseImageConfigs(data, file)
}
