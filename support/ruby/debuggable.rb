# frozen_string_literal: true

# Opens the debug gem without changing what the application sees: an application without a debugger is better than none, so whatever
# goes wrong here is one line on the standard error.
#
# No gem is activated for it: Bundler refuses to set up a bundle with another version of a gem than one that is active, and the gem's
# dependencies are such gems. Where there is a Gemfile, the gem is loaded only when Bundler has been set up, or seems not to be used.
module Debuggable
  module_function

  # How long a program with a Gemfile may take until it sets Bundler up, in seconds.
  PATIENCE = 5
  # How many ports are tried where the first is taken: a program that forks has a process on each.
  PORTS = 20

  def start(wait:)
    return if $LOADED_FEATURES.any? { |file| file.end_with?("/debug/session.rb") } # it is under a debugger already
    return unless RUBY_ENGINE == "ruby" && ENV["RUBY_DEBUG_PORT"]

    @wait = wait
    @mutex = Mutex.new
    follow_forks # ahead of the gem, so that what it does in a forked process comes later
    if bundled? && !bundler_ready?
      open_with_bundler
    else
      open
    end
  rescue StandardError, LoadError => e
    complain(e)
  end

  # bundled? reports whether the program may be one of a bundle.
  def bundled?
    return true if ENV["BUNDLE_GEMFILE"]

    dir = Dir.pwd
    loop do
      return true if %w[Gemfile gems.rb].any? { |name| File.file?(File.join(dir, name)) }
      return false if dir == File.dirname(dir)

      dir = File.dirname(dir)
    end
  rescue SystemCallError
    false
  end

  def bundler_ready?
    defined?(::Bundler) && ::Bundler.instance_variable_defined?(:@setup) && ::Bundler.instance_variable_get(:@setup) ? true : false
  end

  # open_with_bundler opens before the first file that is read once Bundler has been set up, or after a while without.
  def open_with_bundler
    trace = TracePoint.new(:script_compiled) do
      if bundler_ready?
        trace.disable
        open
      end
    end
    trace.enable
    Thread.new do
      sleep PATIENCE
      trace.disable
      open
    end
  end

  def open
    @mutex.synchronize do
      return if @opened

      @opened = true
    end
    load_gem
    listen(ENV["RUBY_DEBUG_PORT"].to_i)
  rescue StandardError, LoadError => e
    complain(e)
  end

  # listen opens the debugger on the first port that is free, from one on.
  def listen(from)
    host = ENV["RUBY_DEBUG_HOST"] || "127.0.0.1"
    port = (from...from + PORTS).find { |number| free?(host, number) }
    return complain("no port from #{from} on is free") unless port

    ::DEBUGGER__.open(host: host, port: port, nonstop: !@wait, fork_mode: Process.respond_to?(:_fork) ? :both : :parent)
    # Of several processes, the gem stops one at a time, by a lock in a file that a read-only container has no place for.
    ::DEBUGGER__::SESSION.define_singleton_method(:before_fork) { |*| }
    ::DEBUGGER__::SESSION.process_group.define_singleton_method(:after_fork) { |**| }
    warn("debuggable: process #{Process.pid} has its debugger on port #{port}, since #{from} is taken") if port != from
  end

  def free?(host, port)
    require "socket"
    TCPServer.new(host, port).close
    true
  rescue SystemCallError
    false
  end

  # load_gem loads the debug gem: the bundle's own, or else the newest that is installed.
  def load_gem
    without_rubygems do
      if bundler_ready? && (spec = Gem.loaded_specs["debug"])
        require File.join(spec.full_gem_path, "lib/debug/session")
      else
        lib, extensions = installed
        raise LoadError, "Ruby #{RUBY_VERSION} has no debug gem" unless lib

        $LOAD_PATH.push(lib, *extensions)
        begin
          require File.join(lib, "debug/session")
        ensure
          # What is loaded later is found by its full path.
          $LOAD_PATH.delete(lib)
          extensions.each { |dir| $LOAD_PATH.delete(dir) }
        end
      end
    end
  end

  # installed returns the folders of the newest debug gem that is made for this Ruby.
  def installed
    dirs = (Gem.path + [Gem.default_dir, File.join(RbConfig::CONFIG["rubylibprefix"], "gems", RbConfig::CONFIG["ruby_version"])]).uniq
    found = dirs.flat_map { |dir| Dir.glob(File.join(dir, "gems", "debug-[0-9]*")).map { |gem| [dir, gem] } }
    found.sort_by { |_, gem| Gem::Version.new(File.basename(gem).delete_prefix("debug-")) }.reverse_each do |dir, gem|
      extensions = Dir.glob(File.join(dir, "extensions", "*", "*", File.basename(gem)))
      built = [File.join(gem, "lib"), *extensions].any? { |at| Dir.glob(File.join(at, "debug", "debug.{so,bundle}")).any? }
      return File.join(gem, "lib"), extensions if built
    end
    nil
  end

  # without_rubygems has require find files on the load path alone while the block runs, in this thread.
  def without_rubygems
    thread = Thread.current
    plain = Kernel.instance_method(:gem_original_require)
    rubygems = Kernel.instance_method(:require)
    silently do
      Kernel.define_method(:require) do |path|
        (Thread.current.equal?(thread) ? plain : rubygems).bind_call(self, path)
      end
    end
    yield
  ensure
    silently { Kernel.define_method(:require, rubygems) } if rubygems
    Kernel.send(:private, :require)
  end

  def silently
    verbose, $VERBOSE = $VERBOSE, nil
    yield
  ensure
    $VERBOSE = verbose
  end

  # follow_forks gives each process that is forked a port of its own: the gem would have it take the parent's, and end it for that.
  def follow_forks
    return unless Process.respond_to?(:_fork)

    Process.singleton_class.prepend(Module.new do
      def _fork
        pid = super
        Debuggable.forked if pid.zero?
        pid
      end
    end)
  end

  # forked has the gem listen elsewhere in this process, and leave the parent's client to the parent.
  def forked
    return unless defined?(::DEBUGGER__::SESSION) && (ui = ::DEBUGGER__::SESSION.instance_variable_get(:@ui))

    host, from = ENV["RUBY_DEBUG_HOST"] || "127.0.0.1", ENV["RUBY_DEBUG_PORT"].to_i
    port = (from + 1...from + PORTS).find { |number| free?(host, number) } || 0
    ui.instance_variable_set(:@port, port)
    %i[@sock @sock_for_fork].each { |name| ui.instance_variable_set(name, nil) }
  rescue StandardError => e
    complain(e)
  end

  def complain(problem)
    warn("debuggable: started without a debugger: #{problem.is_a?(Exception) ? problem.message : problem}")
  end
end
