import Allocations
import Foundation

/// What the process holds, in bytes.
struct Memory {
  /// Pages in physical memory.
  let resident: Int
  /// Live allocations.
  let allocated: Int

  static func now() -> Memory {
    Memory(resident: residentBytes(), allocated: Int(live_allocated_bytes()))
  }

  private static func residentBytes() -> Int {
    #if canImport(Darwin)
      var usage = rusage()
      getrusage(RUSAGE_SELF, &usage)  // the highest so far, which is enough to see growth
      return usage.ru_maxrss
    #else
      let fields = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
        .split(separator: " ")
      let pages = fields?.dropFirst().first.flatMap { Int($0) } ?? 0
      return pages * sysconf(Int32(_SC_PAGESIZE))
    #endif
  }
}
