# frozen_string_literal: true

# RUBYOPT has every Ruby process of the container load this: it opens the debug gem (rdbg) on RUBY_DEBUG_HOST and RUBY_DEBUG_PORT
# without stopping.
require_relative "debuggable"
Debuggable.start(wait: false)
