# frozen_string_literal: true

# As open.rb, but the program waits for a debugger before its first line.
require_relative "debuggable"
Debuggable.start(wait: true)
