/* Addresses and places, by libmaxminddb. */
#include "geo/geo.h"

#include <arpa/inet.h>
#include <math.h>
#include <maxminddb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES, SYSTEMS, DATABASES };

struct mm_geo {
	MMDB_s db[DATABASES];
	bool open[DATABASES];
};

int mm_geo_open(const char *places, const char *systems, struct mm_geo **out, char why[MM_GEO_WHY])
{
	const char *paths[DATABASES] = { [PLACES] = places, [SYSTEMS] = systems };
	struct mm_geo *geo = calloc(1, sizeof *geo);
	*out = NULL;
	if (geo == NULL)
		return MM_ERR_NOMEM;
	for (size_t i = 0; i < DATABASES; i++) {
		if (paths[i] == NULL)
			continue;
		int r = MMDB_open(paths[i], MMDB_MODE_MMAP, &geo->db[i]);
		geo->open[i] = r == MMDB_SUCCESS;
		if (r == MMDB_SUCCESS)
			continue;
		snprintf(why, MM_GEO_WHY, "%s: %s", paths[i], MMDB_strerror(r));
		mm_geo_free(geo);
		return r == MMDB_OUT_OF_MEMORY_ERROR ? MM_ERR_NOMEM
		       : r == MMDB_FILE_OPEN_ERROR   ? MM_ERR_IO
		                                     : MM_ERR_FORMAT;
	}
	*out = geo;
	return MM_OK;
}

void mm_geo_free(struct mm_geo *geo)
{
	for (size_t i = 0; geo != NULL && i < DATABASES; i++)
		if (geo->open[i])
			MMDB_close(&geo->db[i]);
	free(geo);
}

static bool look_up(
        const struct mm_geo *geo, size_t db, const struct mm_addr *addr, MMDB_entry_s *entry)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	int error;
	if (!geo->open[db] || (addr->family != 4 && addr->family != 6))
		return false;
	memcpy(&v4.sin_addr, addr->b, sizeof v4.sin_addr);
	memcpy(&v6.sin6_addr, addr->b, sizeof v6.sin6_addr);
	const struct sockaddr *to =
	        addr->family == 4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6;
	MMDB_lookup_result_s found = MMDB_lookup_sockaddr(&geo->db[db], to, &error);
	*entry = found.entry;
	return error == MMDB_SUCCESS && found.found_entry;
}

static bool value(
        MMDB_entry_s *entry, const char *const *path, uint32_t type, MMDB_entry_data_s *data)
{
	return MMDB_aget_value(entry, data, path) == MMDB_SUCCESS && data->has_data &&
	       data->type == type;
}

static void text(MMDB_entry_s *entry, const char *const *path, char *out, size_t room)
{
	MMDB_entry_data_s data;
	size_t n = 0;
	if (!value(entry, path, MMDB_DATA_TYPE_UTF8_STRING, &data))
		data.data_size = 0;
	for (; n < data.data_size && n < room - 1; n++) {
		unsigned char c = (unsigned char)data.utf8_string[n];
		out[n] = (char)(c >= 0x20 && c != 0x7f ? c : '?');
	}
	/* No half of a character of UTF-8 is left at the end. */
	while (n != 0 && n < data.data_size && ((unsigned char)data.utf8_string[n] & 0xc0) == 0x80)
		n--;
	out[n] = '\0';
}

static double number(MMDB_entry_s *entry, const char *const *path)
{
	MMDB_entry_data_s data;
	if (value(entry, path, MMDB_DATA_TYPE_DOUBLE, &data))
		return data.double_value;
	if (value(entry, path, MMDB_DATA_TYPE_UINT16, &data))
		return data.uint16;
	if (value(entry, path, MMDB_DATA_TYPE_UINT32, &data))
		return data.uint32;
	return NAN;
}

void mm_geo_find(const struct mm_geo *geo, const struct mm_addr *addr, struct mm_geo_place *place)
{
	static const char *const lat[] = { "location", "latitude", NULL },
	                         *const lon[] = { "location", "longitude", NULL },
	                         *const radius[] = { "location", "accuracy_radius", NULL },
	                         *const country[] = { "country", "iso_code", NULL },
	                         *const city[] = { "city", "names", "en", NULL },
	                         *const as[] = { "autonomous_system_number", NULL },
	                         *const org[] = { "autonomous_system_organization", NULL };
	const double usual_radius_km = 100; /* where the database tells none: assumed */
	MMDB_entry_s entry;
	memset(place, 0, sizeof *place);
	if (geo == NULL)
		return;
	if (look_up(geo, PLACES, addr, &entry)) {
		place->lat = number(&entry, lat);
		place->lon = number(&entry, lon);
		place->radius_km = number(&entry, radius);
		place->located = isfinite(place->lat) && isfinite(place->lon) &&
		                 fabs(place->lat) <= 90 && fabs(place->lon) <= 180;
		if (!isfinite(place->radius_km) || place->radius_km < 0)
			place->radius_km = usual_radius_km;
		text(&entry, country, place->country, sizeof place->country);
		text(&entry, city, place->city, sizeof place->city);
	}
	if (look_up(geo, SYSTEMS, addr, &entry)) {
		double n = number(&entry, as);
		place->as_number = isfinite(n) && n > 0 && n <= UINT32_MAX ? (uint32_t)n : 0;
		text(&entry, org, place->as_name, sizeof place->as_name);
	}
}

double mm_geo_km(double lat_a, double lon_a, double lat_b, double lon_b)
{
	const double radius_km = 6371.0, degree = M_PI / 180;
	double s = sin((lat_b - lat_a) * degree / 2), t = sin((lon_b - lon_a) * degree / 2);
	double h = s * s + cos(lat_a * degree) * cos(lat_b * degree) * t * t;
	return 2 * radius_km * asin(sqrt(fmin(1, h)));
}
