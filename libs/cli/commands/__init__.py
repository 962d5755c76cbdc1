"""The commands of `storex`, one file each: options in, one call or a few, a result out."""
