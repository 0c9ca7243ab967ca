# The few macros that configure.ac needs, so that autoconf-archive is not needed.

# MM_TRY_CFLAG(FLAGS): add FLAGS to MM_CFLAGS if the compiler takes them without a warning. -Werror makes a
# compiler speak up that only warns of what it does not know; <stdio.h> lets _FORTIFY_SOURCE complain.
AC_DEFUN([MM_TRY_CFLAG], [
	AC_MSG_CHECKING([whether $CC takes $1])
	mm_saved=$CFLAGS
	CFLAGS="$CFLAGS -Werror $1"
	AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <stdio.h>]], [[return puts("") < 0;]])],
		[mm_takes=yes], [mm_takes=no])
	CFLAGS=$mm_saved
	AC_MSG_RESULT([$mm_takes])
	AS_IF([test "x$mm_takes" = xyes], [MM_CFLAGS="$MM_CFLAGS $1"])
])

# MM_TRY_LDFLAG(FLAGS): add FLAGS to MM_LDFLAGS if a program links with them (and MM_CFLAGS).
AC_DEFUN([MM_TRY_LDFLAG], [
	AC_MSG_CHECKING([whether linking takes $1])
	mm_saved=$CFLAGS
	mm_saved_ld=$LDFLAGS
	CFLAGS="$CFLAGS $MM_CFLAGS"
	LDFLAGS="$LDFLAGS -Werror $1"
	AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <stdio.h>]], [[return puts("") < 0;]])],
		[mm_takes=yes], [mm_takes=no])
	CFLAGS=$mm_saved
	LDFLAGS=$mm_saved_ld
	AC_MSG_RESULT([$mm_takes])
	AS_IF([test "x$mm_takes" = xyes], [MM_LDFLAGS="$MM_LDFLAGS $1"])
])

# MM_NEED_FLAG(FLAG, HINT): add FLAG to MM_CFLAGS and MM_LDFLAGS; end with HINT when no program links with it.
AC_DEFUN([MM_NEED_FLAG], [
	AC_MSG_CHECKING([whether $CC takes $1])
	mm_saved=$CFLAGS
	CFLAGS="$CFLAGS $1"
	AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <stdio.h>]], [[return puts("") < 0;]])],
		[AC_MSG_RESULT([yes])],
		[AC_MSG_RESULT([no])
		AC_MSG_ERROR([$CC does not take $1: $2])])
	CFLAGS=$mm_saved
	MM_CFLAGS="$MM_CFLAGS $1"
	MM_LDFLAGS="$MM_LDFLAGS $1"
])

# MM_REQUIRE(VAR, MODULE, PACKAGE): VAR_CFLAGS and VAR_LIBS of a pkg-config module, or one line that names
# the Debian package.
AC_DEFUN([MM_REQUIRE], [
	PKG_CHECK_MODULES([$1], [$2], [],
		[AC_MSG_ERROR([$2 not found: apt-get install $3])])
])
