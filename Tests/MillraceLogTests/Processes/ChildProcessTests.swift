import Glibc
import MillraceTestSupport
import Testing

/// Starting, stopping and ending other programs.
@Suite struct ChildProcessTests {
    @Test func itsOutputAndItsEnd() throws {
        let child = try ChildProcess("/bin/sh", ["-c", "echo one; echo two; printf three; exit 7"])
        #expect(child.readLine() == "one")
        #expect(child.readToEnd() == ["two", "three"])
        #expect(child.wait() == .code(7))
        #expect(child.wait() == .code(7))
    }

    @Test func itCanBeKilled() throws {
        let child = try ChildProcess("/bin/sh", ["-c", "echo up; exec sleep 100"])
        #expect(child.readLine() == "up")
        child.kill()
        #expect(child.wait() == .signal(SIGKILL))
        child.kill()
        #expect(!child.stop())
    }

    @Test func itCanBeStoppedAndGoOn() throws {
        let child = try ChildProcess("/bin/sh", ["-c", "while :; do echo on; done"])
        #expect(child.readLine() == "on")
        #expect(child.stop())
        #expect(child.stop(), "a stopped process stays stopped")
        child.resume()
        for _ in 0..<50_000 { #expect(child.readLine() == "on") }
        #expect(child.stop())
        child.kill()
        #expect(child.wait() == .signal(SIGKILL), "also while it is stopped")
    }

    @Test func itsEnvironmentIsWhatIsGiven() throws {
        let child = try ChildProcess(
            "/bin/sh", ["-c", "echo $MILLRACE_TEST"], environment: ["MILLRACE_TEST=given"])
        #expect(child.readToEnd() == ["given"])
        #expect(child.wait() == .code(0))
    }

    @Test func aProgramThatIsNotThere() {
        #expect(throws: (any Error).self) { try ChildProcess("/nonexistent/program") }
    }
}
