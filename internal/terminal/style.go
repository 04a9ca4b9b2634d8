package terminal

// Style is a colour, or another way to write, as the sequence that a terminal acts on.
type Style string

// The styles that are used. Plain is none.
const (
	Plain  Style = ""
	Red    Style = "\x1b[31m"
	Green  Style = "\x1b[32m"
	Yellow Style = "\x1b[33m"
	Cyan   Style = "\x1b[36m"
	Faint  Style = "\x1b[2m"
	reset        = "\x1b[0m"
)

// Painter writes in styles, or where it is false, without.
type Painter bool

// PainterFor returns one that paints where a stream shows colours.
func PainterFor(stream any) Painter { return Painter(Colours(stream)) }

// Paint returns a text in a style.
func (p Painter) Paint(style Style, text string) string {
	if !p || style == Plain {
		return text
	}
	return string(style) + text + reset
}
