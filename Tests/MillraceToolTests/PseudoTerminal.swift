import Glibc
import Testing

/// A pseudo-terminal; `user` is the end where a person would look.
final class PseudoTerminal {
    private let user: Int32
    let program: Int32
    /// The file that a program opens to write to it.
    let path: String

    /// `TIOCSPTLCK` and `TIOCGPTN` of Linux, macros that Swift does not import.
    private static let setLock: UInt = 0x4004_5431
    private static let number: UInt = 0x8004_5430

    init(columns: UInt16, rows: UInt16) throws {
        user = unsafe open("/dev/ptmx", O_RDWR | O_NOCTTY)
        var locked: Int32 = 0
        var terminal: Int32 = 0
        let made =
            unsafe user >= 0 && ioctl(user, Self.setLock, &locked) == 0
            && ioctl(user, Self.number, &terminal) == 0
        path = "/dev/pts/\(terminal)"
        program = unsafe made ? open(path, O_RDWR | O_NOCTTY) : -1
        try #require(program >= 0)
        var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        let sized = unsafe ioctl(program, UInt(TIOCSWINSZ), &size)
        try #require(sized == 0)
    }

    /// What the program has written and nobody has read, with the terminal's `\r\n` as `\n`.
    func text() -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe read(user, &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)
            .replacing("\r\n", with: "\n")
    }

    deinit {
        close(program)
        close(user)
    }
}
