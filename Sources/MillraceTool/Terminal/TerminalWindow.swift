internal import Glibc

/// The terminal behind a file descriptor.
struct TerminalWindow: Equatable {
    /// Characters in a line.
    var columns: Int
    /// Lines on the screen.
    var rows: Int
    /// Whether it shows colours, and the user has not declined them (`NO_COLOR`).
    var showsColours: Bool

    /// What a terminal that does not tell its size is taken for.
    private static let usual = (columns: 80, rows: 24)

    /// The terminal as it is now; nil where the descriptor is a file, a pipe, or one that can
    /// neither move its cursor nor clear a line.
    init?(_ descriptor: Int32) {
        guard isatty(descriptor) == 1, Self.environment("TERM") != "dumb" else { return nil }
        var size = winsize()
        // SAFETY: the kernel fills the structure that the request is defined for.
        let asked = unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size)
        let told = asked == 0 && size.ws_col > 0 && size.ws_row > 0
        columns = told ? Int(size.ws_col) : Self.usual.columns
        rows = told ? Int(size.ws_row) : Self.usual.rows
        showsColours = Self.environment("NO_COLOR").isEmpty
    }

    /// A window of a known size.
    init(columns: Int, rows: Int = 24, showsColours: Bool = false) {
        self.columns = columns
        self.rows = rows
        self.showsColours = showsColours
    }

    private static func environment(_ name: String) -> String {
        guard let value = unsafe getenv(name) else { return "" }
        return unsafe String(cString: value)
    }
}
