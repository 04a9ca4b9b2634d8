package functionconfig

import "fmt"

// Surface returns what the user calls a setting, by its field's name: the field, or the flag with its value.
func (c Config) Surface(name string) string {
	for _, s := range settings() {
		if s.name != name || s.flag == "" || c.ByField {
			continue
		}
		if s.bool {
			return "--" + s.flag
		}
		return "--" + s.flag + " " + s.value
	}
	return name
}

// Unmatched is a pattern of the settings that means no image that there is.
type Unmatched struct {
	// Field is the path of the entry.
	Field string
	// Image is its pattern.
	Image string
}

// Unmatched lists the artifacts and runtimes that match none of the images.
func (c Config) Unmatched(images []string) []Unmatched {
	var unmatched []Unmatched
	m := c.Matcher()
	artifacts, runtimes := m.artifacts.matching(images), m.runtimes.matching(images)
	for i := 0; i < len(c.Artifacts); i++ {
		a, found := c.Artifacts[i], artifacts[c.Artifacts[i].Image]
		field := fmt.Sprintf("artifacts[%d]", i)
		for ; i+1 < len(c.Artifacts) && c.Artifacts[i+1].variant; i++ {
			found = found || artifacts[c.Artifacts[i+1].Image]
		}
		if !found {
			unmatched = append(unmatched, Unmatched{field, a.Image})
		}
	}
	for i, r := range c.Runtimes {
		if !runtimes[r.Image] {
			unmatched = append(unmatched, Unmatched{fmt.Sprintf("runtimes[%d]", i), r.Image})
		}
	}
	return unmatched
}
