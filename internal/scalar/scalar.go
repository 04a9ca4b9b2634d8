// Package scalar decides how a string is written in YAML, so that whoever reads it gets the same string. Manifests are
// read by YAML 1.1 (kubectl and the API server, PyYAML, Ruby, SnakeYAML) as well as by YAML 1.2, and the two disagree
// on what a word without quotes is: yes is true, 22:22 is 1342, 0o7 is 7 for some of them.
package scalar

import (
	"regexp"
	"strings"
	"unicode"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// Style is the style in which a new string is written: 0, without quotes, unless that would be read as something else.
// Where more than meaning asks for quotes, as with a #, the emitter sees to them by itself.
func Style(s string) yaml.Style {
	switch {
	case strings.Contains(s, "\n"):
		if inBlock(s) {
			return yaml.LiteralStyle
		}
	case IsString(s) && strings.TrimSpace(s) == s && hasOnly(s, unicode.IsPrint):
		return 0
	}
	return yaml.DoubleQuotedStyle
}

// Like is the style for a string that takes the place of one in the given style, or stands beside it: that style where
// it is possible.
func Like(s string, style yaml.Style) yaml.Style {
	possible := true
	switch {
	case style&yaml.TaggedStyle != 0, style&yaml.DoubleQuotedStyle != 0:
	case style&yaml.SingleQuotedStyle != 0:
		possible = hasOnly(s, unicode.IsPrint)
	case style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		possible = inBlock(s)
	default:
		possible = false
	}
	if possible {
		return style
	}
	return Style(s)
}

// hasOnly reports whether s is valid UTF-8 of characters that are ok. What is not printable an emitter writes as it is
// outside of double quotes; U+0085, U+2028 and U+2029 break lines in YAML 1.1 but not in 1.2.
func hasOnly(s string, ok func(rune) bool) bool {
	for _, c := range s {
		if c < ' ' || c > '~' {
			return !strings.ContainsFunc(s, func(c rune) bool { return c == unicode.ReplacementChar || !ok(c) })
		}
	}
	return true
}

// IsString reports whether a one-line text is a string for every reader where it stands without quotes.
func IsString(s string) bool {
	if s == "" {
		return false
	}
	switch c := s[0]; {
	case c == '=' || c == '<' || c == '~':
		return s != "=" && s != "<<" && s != "~"
	case strings.IndexByte("yYnNtTfFoO", c) >= 0:
		return len(s) > len("false") || !words.MatchString(s)
	case '0' <= c && c <= '9' || c == '.':
		return !number.MatchString(s)
	case c == '-' || c == '+':
		return len(s) == 1 || s[1] != '.' && (s[1] < '0' || s[1] > '9') || !number.MatchString(s)
	}
	return true
}

// The words and numbers of all types of https://yaml.org/type/ for YAML 1.1, and of the core schema of YAML 1.2
// (section 10.3.2), with what readers take beyond these: any case, underscores and, in Ruby, commas everywhere.
var (
	words  = regexp.MustCompile(`(?i)^(?:y|n|yes|no|on|off|true|false|null)$`)
	number = regexp.MustCompile(`(?i)^(?:` + strings.Join([]string{
		`[-+]?0[box][0-9a-f_,]+`,
		`[-+]?(?:[0-9][0-9_,]*(?:\.[0-9_,]*)?|\.[0-9_,]+)(?:e[-+]?[0-9_]+)?`,
		`[-+]?[0-9][0-9_,]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?`,
		`[-+]?\.(?:inf|nan)`,
		`[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:t|[ \t]+)[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(?:\.[0-9]*)?(?:[ ` +
			`\t]*(?:z|[-+][0-9]{1,2}(?::?[0-9]{2})?))?)?`,
	}, "|") + `)$`)
)

// inBlock reports whether the emitter's way of writing s as a block reads back as the same: blocks that begin with
// blanks may not.
func inBlock(s string) bool {
	if !hasOnly(s, func(c rune) bool { return c == '\n' || c == '\t' || unicode.IsPrint(c) }) {
		return false
	}
	var back []string
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: yaml.NodeTagString, Style: yaml.LiteralStyle, Value: s}
	text, err := yaml.Marshal(&yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{n}})
	return err == nil && yaml.Unmarshal(text, &back) == nil && len(back) == 1 && back[0] == s
}
